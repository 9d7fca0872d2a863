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


def test_the_memory_of_a_step_is_that_of_one_batch(tmp_path: Path) -> None:
    """Though the text has many more."""
    short, long = tmp_path / "short", tmp_path / "long"
    for folder, words in ((short, 11), (long, 501)):
        folder.mkdir()
        folder_of(folder, words)
    wide = ("model.hidden_size=256", "data.vocabulary_size=8")
    assert planned(short, *wide)["  activations"] == planned(long, *wide)["  activations"]


def test_the_memory_is_the_sum_of_its_parts_and_adamw_keeps_two_copies_more(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    settings = ("model.hidden_size=256", "training.optimizer=adamw", "training.rate=0.001")
    plain, adamw = planned(folder, settings[0], "training.optimizer=sgd"), planned(folder, *settings)

    def mebibytes(rows: dict[str, str], name: str) -> float:
        return float(rows[name].split()[0].replace(",", ""))

    num_parameters = int(adamw["parameters"].replace(",", ""))
    assert mebibytes(adamw, "  weights") == pytest.approx(4 * num_parameters / 2**20, abs=0.05)
    assert mebibytes(plain, "  optimizer") == 0
    for rows, copies in ((plain, 0), (adamw, 2)):
        weights = 4 * num_parameters / 2**20
        assert mebibytes(rows, "  gradients") == mebibytes(rows, "  weights")
        assert mebibytes(rows, "  optimizer") == pytest.approx(copies * weights, abs=0.05)
        total = (2 + copies) * weights + mebibytes(rows, "  activations")
        assert mebibytes(rows, "memory") == pytest.approx(total, abs=0.11)


def test_parts_of_an_accumulated_batch_are_one_step(tmp_path: Path) -> None:
    rows = planned(folder_of(tmp_path), "training.accumulate=2")
    assert rows["steps"] == "10 an epoch, 30 in 3 epochs"
