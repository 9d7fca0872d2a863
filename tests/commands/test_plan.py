"""What a run would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop.dry_run import plan
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config

OVERRIDES = ["model.hidden_size=8", "training.num_steps=5", "training.batch_size=2", "training.epochs=3"]


def planned(folder: Path, *overrides: str) -> dict[str, str]:
    plugin = load_plugin("lm")
    return plan(plugin, resolve_config(plugin, data=str(folder), overrides=[*OVERRIDES, *overrides]))


def folder_of(tmp_path: Path, words: int = 101) -> Path:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(" ".join(f"w{number % 7}" for number in range(words)) + "\n")
    return tmp_path


def test_parameters_and_steps_are_counted_as_training_makes_them(tmp_path: Path) -> None:
    rows = planned(folder_of(tmp_path))
    vocabulary = 7 + 2
    expected = 2 * vocabulary * 8 + vocabulary + 2 * (8 * 8 * 8 + 8 * 8)
    assert rows["parameters"] == f"{expected:,}"
    assert rows["steps"] == "10 an epoch, 30 in 3 epochs"  # 102 tokens, 2 streams of 51, windows of 5


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_the_memory_is_the_same_from_call_to_call(task: str, toys: dict[str, tuple[str, list[str]]]) -> None:
    plugin = load_plugin(task)
    config = resolve_config(plugin, "tiny", toys[task][0], overrides=toys[task][1])
    first, *others = (plan(plugin, config) for _ in range(4))
    assert all(rows == first for rows in others)


def test_twice_the_steps_keep_more_for_the_backward_pass(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)

    def activations(num_steps: int) -> float:
        rows = planned(folder, f"training.num_steps={num_steps}", "model.hidden_size=256")
        return float(rows["  activations"].split()[0])

    assert activations(5) < activations(20)
