"""Speed, memory and growth of this machine, measured and written into docs/results/speed.md.

    python tools/speed.py alone [--seconds 3]      # a quarter of an hour; nothing else should run
    python tools/speed.py shared [--seconds 30]    # trainings beside a process that only spins, and two at once
    python tools/speed.py render                   # the document again, from what was measured

They write JSON lines into docs/results/speed. No number of the text is typed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lstmdrop.commands.bench import bench, profile_training
from lstmdrop.commands.growth import grow
from lstmdrop.config import TaskConfig
from lstmdrop.contest import WORKS
from lstmdrop.parsing import to_json
from lstmdrop.plugin import installed_tasks, load_plugin, sizes
from lstmdrop.settings import resolve_config
from lstmdrop.training.limits import machine
from speed_text import document, picture

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs/results/speed"
SIZES = ("small", "medium", "large")
NUM_WORDS = 10_000
"""As many different ones as Penn Treebank has, in the text that is trained on beside others."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=["alone", "shared", "render"])
    parser.add_argument("--seconds", type=float, help="of each measurement; default: 3, and 30 beside others")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--work", nargs="+", default=WORKS)
    parser.add_argument("--axes", nargs="+", help="the sizes that grow; default: all")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.FIELD=VALUE")
    parser.add_argument("--tasks", nargs="+", default=installed_tasks())
    parser.add_argument("--largest", type=int, help="of the sizes that grow, leave out values above it")
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--document", type=Path, help="default: the folder of the records with .md")
    options = parser.parse_args(arguments)
    if options.what == "alone":
        _write(options.records, "machine", [described()])
        for name, rows in alone(options).items():
            _write(options.records, name, rows)
    elif options.what == "shared":
        _write(options.records, "shared", shared(options))
    records = read(options.records)
    if records["growth"]:
        (options.records / "growth.svg").write_text(picture(records["growth"]), encoding="utf-8")
    text = document(records, options.records.name)
    (options.document or options.records.with_suffix(".md")).write_text(text, encoding="utf-8")


def described() -> dict[str, Any]:
    """This machine, now."""
    return {"when": datetime.now(timezone.utc).isoformat(timespec="minutes"), **machine()}


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What was measured; an empty list where nothing was."""
    found = {}
    for name in ("machine", "speed", "profile", "growth", "shared"):
        path = folder / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found[name] = [json.loads(line) for line in lines]
    return found


def _write(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(f"{to_json(row)}\n" for row in rows), encoding="utf-8")


def _chosen(task: str, options: argparse.Namespace) -> list[str]:
    return [size for size in options.sizes if size in sizes(load_plugin(task))]


def alone(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """All of it on a machine that does nothing else."""
    seconds = options.seconds or 3.0
    speed: list[dict[str, Any]] = []
    profiles: list[dict[str, Any]] = []
    growth: list[dict[str, Any]] = []
    for task in options.tasks:
        chosen = _chosen(task, options)
        for row in bench(task, sizes=chosen, seconds=seconds, overrides=options.set, work=options.work, memory=True):
            speed.append(asdict(row))
            _say(f"{task} {row.size} {row.work}: {row.ratio:.2f} times as fast")
        profiles += [asdict(part) for part in profile_training(task, sizes=chosen[:2], overrides=options.set)]
        if load_plugin(task).growth:
            for point in grow(task, size=chosen[0], axes=options.axes, seconds=seconds / 2, overrides=options.set,
                              limit=options.largest):  # fmt: skip
                growth.append(asdict(point))
                _say(f"{task} {point.axis} {point.value}: {point.seconds:.3f} s")
    return {"speed": speed, "profile": profiles, "growth": growth}


def shared(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rates of real trainings of the language model: alone, beside a process that only spins, and two at once."""
    seconds, rows = options.seconds or 30.0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_text(folder / "text")
        for size in [size for size in options.sizes if size != "large"]:
            config = resolve_config(load_plugin("lm"), size)
            idle = _rates(config, folder, seconds, 1)
            with _spinning():
                beside = _rates(config, folder, seconds, 1)
            both = _rates(config, folder, seconds, 2)
            for situation, rates in (("alone", idle), ("beside a busy process", beside), ("two at once", both)):
                shares = [rate / idle[0] for rate in rates]
                row = {"task": "lm", "size": size, "situation": situation, "tokens_per_second": rates, "shares": shares}
                rows.append({**row, **described()})
                _say(f"lm {size} {situation}: {', '.join(f'{rate:.0f}' for rate in rates)} tokens a second")
    return rows


@contextmanager
def _spinning() -> Iterator[None]:
    """Inside, a process takes all of a core that it can get."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _write_text(folder: Path) -> None:
    folder.mkdir()
    generator = random.Random(1)
    words = [f"w{number}" for number in range(NUM_WORDS)]
    for split, number in (("train", 40 * NUM_WORDS), ("valid", NUM_WORDS), ("test", NUM_WORDS)):
        chosen = [*words, *generator.choices(words, k=number)] if split == "train" else words
        lines = (" ".join(chosen[start : start + 20]) for start in range(0, len(chosen), 20))
        (folder / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _rates(config: TaskConfig, folder: Path, seconds: float, number: int) -> list[float]:
    """Tokens a second of so many trainings at once, from the first step that all have logged."""
    runs = [folder / f"run-{time.monotonic_ns()}-{own}" for own in range(number)]
    command = [sys.executable, "-m", "lstmdrop", "train", "lm", "--data", str(folder / "text"), "--size", config.size]
    settings = ["--device", "cpu", "--set", "training.log_every=1", "--set", "training.save_minutes=600"]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*command, *settings, "--out", str(run)], **quiet) for run in runs]
    try:
        while not all(_logged(run) for run in runs):
            if any(process.poll() is not None for process in processes):
                raise SystemExit(f"a training ended before its first step: {' '.join(command)}")
            time.sleep(0.1)
        begun = [len(_logged(run)) for run in runs]
        time.sleep(seconds)
        while any(len(_logged(run)) < first + 2 for run, first in zip(runs, begun, strict=True)):
            time.sleep(0.1)
        logs = [_logged(run)[first:] for run, first in zip(runs, begun, strict=True)]
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        for process in processes:
            process.wait()
    return [_rate(log, config) for log in logs]


def _rate(log: Sequence[dict[str, Any]], config: Any) -> float:
    tokens = config.training.batch_size * config.training.num_steps
    return float(tokens * (log[-1]["step"] - log[0]["step"]) / (log[-1]["seconds"] - log[0]["seconds"]))


def _logged(run: Path) -> list[dict[str, Any]]:
    path = run / "log.jsonl"
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]  # a line may be in the making
    rows = [json.loads(line) for line in whole.splitlines()]
    return [row for row in rows if row["event"] == "logged"]


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    main()
