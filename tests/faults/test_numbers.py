"""Numbers that fail: what is said, what is written, what stays."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from faults.notes import FaultMaker
from lstmdrop.commands.train import train
from lstmdrop.data.json_file import read_json, write_json
from lstmdrop.parsing import as_number, to_json
from lstmdrop.run import Run
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.finite import GradientWatch, NonFiniteError
from lstmdrop.training.progress import Stepped
from lstmdrop.training.trainer import Trainer

Toys = dict[str, tuple[str, list[str]]]

FIELDS = {
    "lm": {"inputs", "targets"},
    "mt": {"source", "source_lengths", "inputs", "targets", "numbers"},
    "asr": {"features", "lengths", "targets", "target_lengths", "numbers"},
    "caption": {"images", "inputs", "targets", "numbers", "image_numbers"},
}
SOUND = ["training.optimizer=sgd", "training.rate=1e-3", "training.clip=1e30", "training.save_minutes=60"]


@pytest.mark.parametrize("task", FIELDS)
def test_each_task_names_step_and_parameter_and_keeps_the_batch(
    task: str, toys: Toys, tmp_path: Path, fault: FaultMaker
) -> None:
    note = fault(
        "numbers", f"a gradient of `train {task}` that overflows",
        "step and first parameter are named, the batch is kept, the last good state stays, another rate goes on",
    )  # fmt: skip
    data, overrides = toys[task]
    run = Run(tmp_path / "run")

    def go_on(*settings: str) -> None:
        train(
            task, size="tiny", data=data, overrides=[*overrides, *SOUND, *settings], out=run.directory, resume=True
        )  # fmt: skip

    go_on("training.epochs=1")
    good = (run.directory / "last.safetensors").read_bytes()
    with note.one(), pytest.raises(NonFiniteError) as failed:
        go_on("training.epochs=2", "training.rate=3e37")
    about, (first, second) = failed.value.about, str(failed.value).splitlines()
    assert first.startswith(f"step {about['step']}: ")
    assert f" {about['parameter']} " in first
    assert second == f"the batch lies in {run.failed_batch}"
    kept = read_checkpoint(run.failed_batch)
    assert {name.partition(".")[2] for name in kept.tensors} == FIELDS[task]
    assert kept.values == about
    assert (run.directory / "last.safetensors").read_bytes() == good
    go_on("training.epochs=2")
    assert run.is_finished()
    assert not run.failed_batch.exists()


@pytest.mark.parametrize("looks_at_steps", [True, False])
def test_the_first_step_that_failed_is_named_however_late_it_is_looked_at(
    build_lm: Callable[..., Any], looks_at_steps: bool
) -> None:
    """On a GPU nobody looks before the next log entry: there it would be any step, and every parameter."""
    task = build_lm("regularizer.rule=none", "training.log_every=7")
    trainer = Trainer(task, task.config)
    trainer.looks_at_steps = looks_at_steps
    events = trainer.run()
    list(islice((event for event in events if isinstance(event, Stepped)), 2))
    with torch.no_grad():
        task.model.softmax.bias.fill_(torch.inf)
    with pytest.raises(
        NonFiniteError, match=r"^step 3: the gradient of embedding.weight is not finite, as that of "
    ) as failed:
        list(events)
    assert trainer.progress.step == (3 if looks_at_steps else 7)
    (batch,) = failed.value.batches
    third = next(islice(task.batches("train", epoch=1), 2, None))
    assert torch.equal(batch.inputs, third.inputs)


def test_a_norm_that_overflows_is_laid_to_its_largest_part() -> None:
    watch = GradientWatch(["a", "b", "c"], torch.zeros(1))
    watch.see({"a": torch.tensor(1.0), "c": torch.tensor(1e30)}, torch.tensor(1.0))
    assert watch.failure(1) is None
    watch.see({"a": torch.tensor(1.0), "c": torch.tensor(1e30)}, torch.tensor(math.inf))
    watch.see({"a": torch.tensor(math.nan)}, torch.tensor(math.nan))
    failure = watch.failure(3)
    assert failure is not None
    assert (failure.step, failure.parameter) == (2, "c")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_a_string_in_json_and_a_number_again(value: float, tmp_path: Path) -> None:
    rows = {"scores": [{"name": "perplexity", "value": value}, {"name": "inf", "value": 2.5}], "rate": (value,)}
    write_json(tmp_path / "result.json", rows)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert "Infinity" not in text
    assert "NaN" not in text
    scores = read_json(tmp_path / "result.json")["scores"]
    assert repr(scores[0]["value"]) == repr(value)
    assert scores[1] == rows["scores"][1]
    assert to_json(value) == f'"{value}"'
    assert repr(as_number(str(value))) == repr(value)
