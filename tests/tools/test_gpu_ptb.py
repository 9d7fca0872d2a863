"""The one command for the paper's rows, on toy models: whole, and stopped again and again."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from itertools import count
from pathlib import Path
from signal import ITIMER_REAL, SIGINT, getitimer, raise_signal
from typing import Any

import pytest
import torch

from lstmdrop.errors import UsageError
from lstmdrop.training.checkpoint import read_checkpoint

SCRIPT = Path(__file__).parents[2] / "tools" / "gpu_ptb.py"
RUNS = ["tiny-s1", "tiny-s2"]

Call = Callable[..., int]


@pytest.fixture
def call(toy_corpus: Path, toy_settings: list[str]) -> Call:
    """Runs the command to its end, or until so many events have come, or its time is over."""
    main = runpy.run_path(str(SCRIPT))["main"]
    say = main.__globals__["_say"]
    settings = [*toy_settings, "training.epochs=8"]

    def run(out: Path, *words: str, num_events: int | None = None) -> int:
        coming = count(1)

        def hear(event: Any) -> None:
            say(event)
            if next(coming) == num_events:
                raise_signal(SIGINT)

        main.__globals__["_say"] = hear
        given = ["--out", str(out), "--data", str(toy_corpus), "--sizes", "tiny", "--set", *settings]
        given += ["--device", "cpu", "--bench-seconds", "0.1", "--tasks", "lm", "--ensemble", "3"]
        return int(main([*given, "--tests", "tests/training/test_replay.py", *words]))

    return run


@pytest.mark.slow
def test_stopped_again_and_again_it_ends_as_if_it_had_not_been(call: Call, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert call(whole) == 0
    num_calls = 1
    while call(pieces, num_events=67) == 130:
        num_calls += 1
        assert num_calls < 30
    assert num_calls > 3
    for name in RUNS:
        found, expected = (read_checkpoint(folder / name / "best.safetensors") for folder in (pieces, whole))
        assert all((found.tensors[key] == value).all() for key, value in expected.tensors.items())
    results = [json.loads((folder / "tiny-average" / "result.json").read_text()) for folder in (pieces, whole)]
    assert results[0]["scores"] == results[1]["scores"]
    assert results[0]["num_models"] == 2
    assert f"{results[0]['scores'][1]['value']:.2f}" in (whole / "table.md").read_text()
    log = [json.loads(line) for line in (pieces / "pieces.jsonl").read_text().splitlines()]
    assert [piece["done"] for piece in log] == [False] * (num_calls - 1) + [True]
    speeds = json.loads((pieces / "speed.json").read_text())
    assert [speed["work"] for speed in speeds] == ["train", "score", "decode"]
    assert all(speed["task"] == "lm" and speed["ratio"] > 0 for speed in speeds)
    suite = json.loads((pieces / "suite.json").read_text())
    assert suite["exit_code"] == 0
    assert "passed" in suite["said"] or "skipped" in suite["said"]
    times = json.loads((pieces / "times.json").read_text())
    assert [row["run"] for row in times] == RUNS
    assert all(row["seconds"] > 0 and row["test"] > 1 for row in times)
    (ensemble,) = json.loads((pieces / "ensemble.json").read_text())
    assert ensemble["models"] == 3
    assert ensemble["ratio"] > 0
    assert len(list((pieces / "tiny-ensemble").glob("s*/result.json"))) == 3
    assert all(piece["card"] and piece["seconds"] > 0 for piece in log)


def test_it_stops_when_its_minutes_are_over_and_leaves_the_timer_as_it_was(call: Call, tmp_path: Path) -> None:
    before = getitimer(ITIMER_REAL)[0]
    assert call(tmp_path / "out", "--minutes", "0.001", "--without", "suite", "speed") == 130
    (piece,) = map(json.loads, (tmp_path / "out/pieces.jsonl").read_text().splitlines())
    assert not piece["done"]
    assert (getitimer(ITIMER_REAL)[0] > 0) == (before > 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_and_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    assert main(["--out", str(tmp_path / "out")]) == UsageError.exit_code
    assert "--device cpu" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_is_done_is_not_done_again(call: Call, tmp_path: Path) -> None:
    assert call(tmp_path / "out") == 0
    kept = (*RUNS, "tiny-ensemble", "suite.json", "speed.json")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.parts[-1] in kept}
    before |= {path: path.stat().st_mtime_ns for name in kept for path in (tmp_path / "out" / name).rglob("*")}
    assert call(tmp_path / "out") == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
