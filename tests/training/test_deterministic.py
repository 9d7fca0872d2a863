"""``--deterministic``: only algorithms that give the same bits, for as long as a training lasts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lstmdrop.commands.train import train
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Stepped

ON = ["training.deterministic=true", "training.epochs=1"]


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_no_operation_of_a_task_refuses_and_the_switches_are_put_back(
    task: str, toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    data, overrides = toys[task]
    seen: set[tuple[bool, bool]] = set()

    def look(event: object) -> None:
        if isinstance(event, Stepped):
            seen.add((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic))

    train(task, size="tiny", data=data, overrides=[*overrides, *ON], out=tmp_path / "run", listener=look)
    assert seen == {(True, True)}
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_on_a_gpu_two_runs_end_with_the_same_bits(
    task: str, toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    data, overrides = toys[task]
    best = []
    for name in ("a", "b"):
        train(task, size="tiny", data=data, overrides=[*overrides, *ON], out=tmp_path / name, device="cuda")
        best.append(read_checkpoint(tmp_path / name / "best.safetensors").tensors)
    for name, value in best[0].items():
        assert torch.equal(value, best[1][name]), name
