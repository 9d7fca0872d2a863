"""Much of everything: runs in a folder, lines in a log and in a text, lines through a model."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import IO, NamedTuple

import numpy as np
import pytest

from faults.notes import FaultMaker, share, times
from lstmdrop.plugin import load_plugin
from lstmdrop.run import Run

MEGABYTE = 10**6
RULES = ("none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop")

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="this system does not say how large a process was")

COMMAND = """
import atexit, re, runpy, sys, time
from pathlib import Path

@atexit.register
def note():
    largest = re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
    Path(place).write_text(f"{time.process_time()} {int(largest) * 1024 / 10**6}")

place = sys.argv.pop(1)
runpy.run_module("lstmdrop", run_name="__main__", alter_sys=True)
"""
"""Notes as it ends what it took; asked from outside, it would be as large as the process that started it."""


class Taken(NamedTuple):
    """By one process, from its start to its end."""

    code: int
    seconds: float
    """Of the processor: how much else a machine does is no matter."""
    megabytes: float
    """At most at a time."""
    output: str


def taken_by(arguments: Sequence[object], folder: Path) -> Taken:
    """What a command of the toolkit takes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LSTMDROP_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", COMMAND, str(folder / "taken"), *map(str, arguments)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    seconds, megabytes = map(float, (folder / "taken").read_text(encoding="ascii").split())
    return Taken(ended.returncode, seconds, megabytes, ended.stdout.decode(errors="replace"))


def finished(directory: Path, number: int) -> Path:
    """A run as `train` leaves it: rule, size and seed follow from its number, its rate is its own."""
    rule, size, seed = RULES[number % 7], ("small", "medium")[number % 2], number // 14 + 1
    config = load_plugin("lm").config(task="lm", size=size, seed=seed).model_dump(mode="json")
    config["regularizer"]["rule"] = rule
    config["training"]["rate"] = 0.1 + number % 50 / 100
    score = {"name": "perplexity", "value": 90 + number % 13, "higher_is_better": False, "signature": "tokens:7"}
    result = {
        "task": "lm", "data": "demo", "size": size, "regularizer": rule, "seed": seed, "num_parameters": 9,
        "scores": [{"split": split, **score} for split in ("valid", "test")], "epochs": 13, "train_seconds": 2.5,
    }  # fmt: skip
    run = Run.create(directory, config)
    run.finish(result)
    for step in range(40):
        run.record(logged(step))
    for epoch in range(1, 14):
        run.record(evaluated(epoch))
    return directory


def logged(step: int) -> dict[str, object]:
    return {
        "event": "logged", "step": step, "epoch": 1, "loss": 4.123456789, "rate": 1.0, "gradient_norm": 3.25,
        "tokens_per_second": 12345.678, "seconds": step / 10,
    }  # fmt: skip


def evaluated(epoch: int) -> dict[str, object]:
    score = {"name": "perplexity", "value": 200 / epoch, "higher_is_better": False, "signature": "tokens:7"}
    about = {"event": "evaluated", "step": 40 * epoch, "epoch": epoch, "split": "valid", "scores": [score]}
    return {**about, "training_loss": 4.5, "is_best": True}


@pytest.mark.parametrize("output_format", ["table", "json", "html"] if share() else ["html"])
def test_a_thousand_runs_are_reported_in_seconds(output_format: str, tmp_path: Path, fault: FaultMaker) -> None:
    number = times(1000, 50)
    note = fault("load", "a folder of a thousand runs", "`report` takes at most 5 seconds of a core and 500 MB")
    for place in range(number):
        finished(tmp_path / "runs" / str(place), place)
    with note.one(output_format):
        taken = taken_by(["report", tmp_path / "runs", "--format", output_format], tmp_path)
        assert taken.code == 0, taken.output
        assert taken.seconds < 5
        assert taken.megabytes < 500


def test_a_log_of_a_million_lines_is_read_line_by_line(tmp_path: Path, fault: FaultMaker) -> None:
    number = times(1_000_000, 30_000)
    note = fault("load", "a log of a million lines", "`report` and its curves take at most 10 seconds and 150 MB")
    run = finished(tmp_path / "run", 0)
    lines = "".join(json.dumps(logged(step)) + "\n" for step in range(1000))
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        log.writelines(lines for _ in range(number // 1000))
    with note.one():
        taken = taken_by(["report", run], tmp_path)
        assert taken.code == 0, taken.output
        assert taken.seconds < 10
        assert taken.megabytes < 150
    note = fault("load", "a run with a log of a million lines goes on", "its later lines go, in at most 50 MB more")
    with note.one():
        before = _megabytes()
        Run(run).rewind_log(lambda entry: entry["event"] == "evaluated" or int(entry["step"]) < 500)
        assert _megabytes() < before + 50
        with (run / "log.jsonl").open(encoding="utf-8") as log:
            assert sum(1 for _ in log) == 40 + 13 + number // 2


def _sentences(number: int, seed: int) -> Iterator[str]:
    choose = random.Random(seed)
    words = [f"w{place}" for place in range(20_000)]
    return (" ".join(choose.choices(words, k=choose.randint(5, 20))) for _ in range(number))


def _lm(folder: Path, number: int) -> list[str]:
    for split, size in (("train", number), ("valid", 200), ("test", 200)):
        with (folder / f"{split}.txt").open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in _sentences(size, size))
    return [str(folder)]


def _mt(folder: Path, number: int) -> list[str]:
    for seed, language in enumerate(("en", "de")):
        for split, size in (("train", number), ("valid", 200), ("test", 200)):
            with (folder / f"{split}.{language}").open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in _sentences(size, size + seed))
    return [str(folder), "--pair", "en-de"]


def _asr(folder: Path, number: int) -> list[str]:
    np.save(folder / "a.npy", np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32))
    for split, size in (("train", number), ("valid", 200), ("test", 200)):
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for place in range(size):
                entry = {"id": f"{split}{place}", "features": "a.npy", "text": "AB C", "speaker": f"{split}{place % 9}"}
                file.write(json.dumps(entry) + "\n")
    return [str(folder)]


def _caption(folder: Path, number: int) -> list[str]:
    features = np.random.default_rng(0).standard_normal((4, 7)).astype(np.float32)
    with (folder / "captions.jsonl").open("w", encoding="utf-8") as file:
        for split, size in (("train", number), ("valid", 200), ("test", 200)):
            images = [f"{split}{place}.npy" for place in range(3)]
            for name in images:
                np.save(folder / name, features)
            for name, line in zip(cycle(images), _sentences(size, size), strict=False):
                file.write(json.dumps({"image": name, "captions": [line], "split": split}) + "\n")
    return [str(folder / "captions.jsonl"), "--set", "images.encoder=features"]


WRITERS: dict[str, Callable[[Path, int], list[str]]] = {"lm": _lm, "mt": _mt, "asr": _asr, "caption": _caption}
LINES = {"lm": 1_000_000, "mt": 1_000_000, "asr": 100_000, "caption": 100_000}
"""Of features that are made at a thousand a second, a million would take longer than all other faults."""
BASE = 450
"""Megabytes of a process with PyTorch and a toy model."""
BESIDE = {"lm": 250, "mt": 400, "asr": 350, "caption": 350}
"""Megabytes that so many lines may take beside it while they are read and prepared."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("task", WRITERS)
def test_many_lines_of_ones_own_are_read_within_a_stated_memory(task: str, tmp_path: Path, fault: FaultMaker) -> None:
    number = times(LINES[task], LINES[task] // 100)
    limit = BASE + BESIDE[task] * number / LINES[task]
    holds = f"read and prepared in at most {BASE + BESIDE[task]} MB, PyTorch among it"
    note = fault("load", f"{LINES[task]:,} lines of one's own for `train {task}`", holds)
    (tmp_path / "data").mkdir()
    data = WRITERS[task](tmp_path / "data", number)
    with note.one():
        taken = taken_by(["train", task, "--data", *data, "--size", "tiny", "--dry-run"], tmp_path)
        assert taken.code == 0, taken.output[-2000:]
        assert taken.megabytes < limit


def _megabytes(process: int | str = "self") -> float:
    """What a process holds now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024 / MEGABYTE


def _write(lines: Iterator[str], into: IO[str]) -> None:
    with into:
        for line in lines:
            into.write(line + "\n")


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("task", ["mt", "lm"])
def test_lines_go_through_a_model_without_end(
    task: str, trained: Callable[[str], Path], tmp_path: Path, fault: FaultMaker
) -> None:
    """Words that never come again among them, since what remembers words is to forget them."""
    number = times(int(os.environ.get("LSTMDROP_FAULTS_LINES", "20000")), 300)
    note = fault(
        "load", f"lines without end through `predict {task}`", "its memory grows by less than 20 MB after a tenth"
    )
    options = ["--score"] if task == "lm" else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "lstmdrop", "predict", task, "--run", str(trained(task)), *options, "-"]
    lines = (f"the cat sees x{place} and {place * 7919}y" for place in range(number))
    begun, sizes = time.monotonic(), []
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        Thread(target=_write, args=(lines, process.stdin), daemon=True).start()
        with note.one():
            count = 0
            for count, _ in enumerate(process.stdout, start=1):
                if count in (number // 10, number - number // 50):
                    sizes.append(_megabytes(process.pid))
            assert count >= number
            assert process.wait() == 0
            assert sizes[1] < sizes[0] + 20
    print(f"{count / (time.monotonic() - begun) * 60:,.0f} lines a minute, {sizes} MB")
