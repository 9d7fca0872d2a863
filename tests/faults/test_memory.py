"""A batch that memory has no room for is computed in parts: the same gradient, and so the same weights."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from faults.notes import FaultMaker
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.task import Loss
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.memory import OutOfMemoryError, in_parts, is_out_of_memory
from lstmdrop.training.progress import Stepped
from lstmdrop.training.trainer import Trainer

TASKS = ("lm", "mt", "asr", "caption")
STEPS = 4
SGD = ("training.optimizer=sgd", "training.rate=0.1")
"""Adam divides by the gradient: where that is about zero, so is no rounding."""

Build = Callable[..., Trainer[Any]]


@pytest.fixture
def build(toys: dict[str, tuple[str, list[str]]], tmp_path: Path) -> Build:
    """A trainer of a toy task without dropout, all of a test from the same seed and assets."""

    def trainer(task: str, *settings: str) -> Trainer[Any]:
        data, overrides = toys[task]
        plugin = load_plugin(task)
        config = resolve_config(plugin, "tiny", data, overrides=[*overrides, "regularizer.rule=none", *SGD, *settings])
        assets = tmp_path / task
        assets.mkdir(exist_ok=True)
        return Trainer(plugin.build(config, assets, torch.device("cpu"), None), config)

    return trainer


def after_steps(trainer: Trainer[Any], number: int = STEPS) -> dict[str, Tensor]:
    """All that the next step depends on, but for what is in the checkpoint's values."""
    steps = (event for event in trainer.run() if isinstance(event, Stepped) and event.step == number)
    assert next(steps).step == number
    return {name: value.clone() for name, value in trainer.state_dict().tensors.items() if "random" not in name}


def has_room_for(trainer: Trainer[Any], num_rows: int, error: Exception) -> None:
    """From now on memory runs out in the backward pass of a batch of more rows."""
    objective = trainer.objective

    class Crowded:
        def __call__(self, batch: Any) -> Loss:
            loss: Loss = objective(batch)
            if batch.num_rows > num_rows:
                loss.total.register_hook(self._fail)
            return loss

        def _fail(self, gradient: Tensor) -> None:
            raise error

        def __getattr__(self, name: str) -> Any:
            return getattr(objective, name)

    trainer.objective = Crowded()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("num_parts", [2, 3])
def test_in_parts_every_task_ends_with_the_same_weights(build: Build, task: str, num_parts: int) -> None:
    """What an objective carries too, in whatever way the streams of a window are taken apart."""
    whole, divided = build(task), build(task)
    divided.progress.num_parts = num_parts
    expected = after_steps(whole)
    torch.testing.assert_close(after_steps(divided), expected, atol=1e-6, rtol=1e-5)
    assert divided.progress.items == whole.progress.items


@pytest.mark.parametrize("task", TASKS)
def test_the_parts_of_a_batch_are_its_rows(build: Build, task: str) -> None:
    made = build(task).task.batches("train", epoch=1)
    for batch in islice(made, 3):
        parts = in_parts([batch], 3)
        assert sum(part.num_rows for part in parts) == batch.num_rows
        assert all(part.num_rows for part in parts)
        assert len(in_parts([batch], 10**6)) == batch.num_rows


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_where_memory_runs_out_the_batch_is_halved_and_the_weights_are_the_same(
    build: Build, task: str, error: Exception, caplog: pytest.LogCaptureFixture, fault: FaultMaker
) -> None:
    """Whatever the broken pass left behind (gradients, sums, carried states) is taken back."""
    note = fault(
        "numbers", f"memory that runs out in the backward pass of `train {task}`",
        "the batch is halved, which is said; without dropout the weights are the same to 1e-6",
    )  # fmt: skip
    whole, crowded = build(task), build(task)
    expected = after_steps(whole)
    largest = max(batch.num_rows for batch in islice(crowded.task.batches("train", epoch=1), STEPS))
    has_room_for(crowded, -(-largest // 2), error)
    with caplog.at_level(logging.WARNING):
        found = after_steps(crowded)
    with note.one(error):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert crowded.progress.num_parts == 2
    (said,) = [record.getMessage() for record in caplog.records if "memory" in record.getMessage()]
    assert "from here on each batch is computed in 2 parts" in said
    assert crowded.progress.items == whole.progress.items


def test_a_run_that_goes_on_keeps_its_parts(build: Build) -> None:
    first = build("lm", "training.epochs=1")
    first.progress.num_parts = 2
    states: Iterator[Any] = (first.state_dict() for event in first.run() if isinstance(event, Stepped))
    checkpoint = list(islice(states, 3))[-1]
    tensors = {name: value.clone() for name, value in checkpoint.tensors.items()}
    for _ in first.run():
        pass
    second = build("lm", "training.epochs=1")
    second.load_state_dict(type(checkpoint)(tensors, checkpoint.values))
    assert second.progress.num_parts == 2
    for _ in second.run():
        pass
    expected = first.state_dict().tensors
    for name, value in second.state_dict().tensors.items():
        assert torch.equal(value, expected[name]), name


def test_a_row_that_finds_no_room_is_an_error_with_a_way_out(build: Build) -> None:
    trainer = build("lm")
    has_room_for(trainer, 0, MemoryError())
    with pytest.raises(
        OutOfMemoryError, match=r"^step 1: memory runs out for a single row of a batch: a smaller --size"
    ):
        after_steps(trainer)


def test_other_errors_are_what_they_are(build: Build) -> None:
    trainer = build("lm")
    has_room_for(trainer, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        after_steps(trainer)
    assert trainer.progress.num_parts == 1


LIMITED = """
import json, re, resource, sys
from pathlib import Path
from lstmdrop.commands.train import train
from lstmdrop.training.progress import Started

def limit(event):
    if isinstance(event, Started) and room:
        held = int(re.search("VmSize:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (held + room * 2**20, resource.RLIM_INFINITY))

room, data, out, overrides = int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
train("lm", size="tiny", data=data, overrides=overrides, out=out, device="cpu", listener=limit)
"""
"""Trains with so many mebibytes beside those that it holds when it begins."""
WIDE = [
    "regularizer.rule=none", "model.hidden_size=64", "model.num_layers=2", "training.batch_size=256",
    "training.num_steps=80", "training.rate=0.5", "training.epochs=1", "training.log_every=1", "data.min_count=1",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not limit a process's memory so")
def test_a_process_without_room_for_a_batch_trains_the_same_weights(
    make_corpus: Callable[..., Path], tmp_path: Path, fault: FaultMaker
) -> None:
    """The system itself refuses."""
    note = fault(
        "numbers", "a limit on the memory of a process that trains, too small for a batch",
        "it computes the batch in parts, says so in its log, and ends with the same weights to 1e-6",
    )  # fmt: skip
    data, environment = make_corpus("wide", train=8000), {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def trained_with(room: int) -> tuple[dict[str, Tensor], set[int]]:
        run = tmp_path / f"run{room}"
        command = [sys.executable, "-c", LIMITED, str(room), str(data), str(run), json.dumps(WIDE)]
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr.decode()[-2000:]
        log = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
        return dict(read_checkpoint(run / "best.safetensors").tensors), {entry.get("num_parts", 1) for entry in log}

    expected, parts = trained_with(room=0)
    assert parts == {1}
    with note.one():
        found, parts = trained_with(room=100)  # with 120 a whole batch has no room, with 60 scoring has none
        assert max(parts) > 1
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive"),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_memory_runs_out_in_many_words(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError("out of memory"))
