"""The check that finds nothing lost finds it where something is: a part of the state that is not restored."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults.lives import TIMED, differences, snapshot
from faults.notes import FaultMaker, share
from lstmdrop.commands.train import train
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint
from lstmdrop.training.progress import Progress, Stepped
from lstmdrop.training.trainer import Trainer

PARTS = {
    "weights": "model", "optimiser": "optimizer", "averages": "average", "random state": "random",
    "data position": "position", "carried state": "objective", "best score": "best", "sums of the loss": "loss",
}  # fmt: skip
"""By what they are called the tensors of a group, or the value, of a checkpoint."""

ELSEWHERE = {*TIMED, *PARTS.values(), "num_parts"}
"""Counters with a try of their own, without any, and the one that counts only once memory has run out."""

OTHERS = [field.name for field in fields(Progress) if field.name not in ELSEWHERE]
SETTINGS = (
    "training.epochs=7", "training.log_every=4", "training.optimizer=adamw", "training.rate=0.3",
    "training.average_after=2", "training.average_over=steps", "training.schedule=plateau",
    "training.plateau_patience=2", "training.kernel=native",
)  # fmt: skip
"""So large a rate that the second epoch is the best: the rate falls, averaging begins, and so every part counts."""

STOP_AT = 95
"""Within the sixth epoch."""

Train = Callable[..., object]


@pytest.fixture(scope="module")
def train_toy(toy_corpus: Path, toy_settings: list[str]) -> Train:
    overrides = [*(one for one in toy_settings if "decay" not in one), *SETTINGS]
    return partial(train, "lm", size="tiny", data=str(toy_corpus), overrides=overrides, device="cpu")


@pytest.fixture(scope="module")
def undisturbed(train_toy: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("control") / "undisturbed"
    train_toy(out=out)
    return out


@pytest.fixture(scope="module")
def stopped_once(train_toy: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def stop(event: object) -> None:
        if isinstance(event, Stepped) and event.step == STOP_AT:
            os.kill(os.getpid(), signal.SIGTERM)

    out = tmp_path_factory.mktemp("control") / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train_toy(out=out, listener=stop)
    return out


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped_once, tmp_path / "run"))


def leave_out(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed trainers have that part as a fresh one has it."""
    restore = Trainer.load_state_dict

    def restore_but_one(trainer: Trainer[Any], checkpoint: Checkpoint) -> None:
        fresh = trainer.state_dict()
        tensors = {name: value for name, value in checkpoint.tensors.items() if not name.startswith(f"{part}.")}
        tensors |= {name: value for name, value in fresh.tensors.items() if name.startswith(f"{part}.")}
        values = dict(checkpoint.values)
        if part in values:
            values[part] = fresh.values[part]
        restore(trainer, Checkpoint(tensors, values))

    monkeypatch.setattr(Trainer, "load_state_dict", restore_but_one)


def test_with_nothing_left_out_nothing_is_lost(train_toy: Train, undisturbed: Path, stopped: Path) -> None:
    train_toy(out=stopped, resume=True)
    assert differences(snapshot(stopped), snapshot(undisturbed)) == []


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_the_state_that_is_not_restored_is_noticed(
    fault: FaultMaker, train_toy: Train, undisturbed: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    row = fault("control", f"the {name} not restored", "the check fails")
    leave_out(PARTS[name], monkeypatch)
    with row.one(name):
        train_toy(out=stopped, resume=True)
        assert differences(snapshot(stopped), snapshot(undisturbed)) != []


@pytest.mark.parametrize("name", OTHERS if share() else OTHERS[:1])
def test_so_is_any_other_counter(
    fault: FaultMaker, train_toy: Train, undisturbed: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    row = fault("control", "one of the other counters not restored", "the check fails")
    assert read_checkpoint(stopped / "last.safetensors").values[name] != Progress().as_json()[name], "it is fresh"
    leave_out(name, monkeypatch)
    with row.one(name):
        train_toy(out=stopped, resume=True)
        assert differences(snapshot(stopped), snapshot(undisturbed)) != []
