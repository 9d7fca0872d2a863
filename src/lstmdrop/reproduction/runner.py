"""Running the open cells of a plan, each in a process of its own, and collecting what they made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.data.json_file import to_json
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
from lstmdrop.report.rules import KEPT_TRIES, read_tries
from lstmdrop.reproduction.plan import Planned, experiment_sha256, valid_score
from lstmdrop.run import Run

KEPT = ("config.json", "log.jsonl", "predictions.txt", "log_probs.npz", "valid/log_probs.npz", "result.json")
"""All that a report reads; the result comes last, so that a copy that has it is whole."""
OWN = ("text", "prompt")
"""What of an example is the model's own: the rest may be data that cannot be passed on."""


def collect(planned: Iterable[Planned], archive: Path) -> list[Path]:
    """Copy each finished run into ``archive``, checkpoints and assets left out; returns the copies that are new.

    Of a try only its settings and its validation score are kept: it has no place in any table.
    """
    planned = list(planned)
    made = _collect_tries([one for one in planned if one.cell.number_of_try and one.state == "done"], archive)
    for one in planned:
        target = archive / one.cell.experiment.name / one.directory.name
        if one.cell.number_of_try:
            continue
        is_there = one.directory.resolve().is_relative_to(archive.resolve()) or (target / "result.json").exists()
        if one.state == "done" and not is_there:
            target.mkdir(parents=True, exist_ok=True)
            _copy_examples(one.directory, target)
            for name in KEPT:
                if (one.directory / name).exists():
                    (target / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(one.directory / name, target / name)
            made.append(target)
    return made


def _collect_tries(tries: Sequence[Planned], archive: Path) -> list[Path]:
    made: list[Path] = []
    for one in (one for one in tries if Run(one.directory).is_finished()):
        folder, line = archive / one.cell.experiment.name, _try(one, Run(one.directory))
        if line["experiment_sha256"] not in [kept["experiment_sha256"] for kept in read_tries(folder)]:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / KEPT_TRIES).open("a", encoding="utf-8") as file:
                file.write(to_json(line) + "\n")
            made.append(folder / KEPT_TRIES)
    return list(dict.fromkeys(made))


def _try(one: Planned, run: Run) -> dict[str, Any]:
    result = run.result()
    facts = ("seed", "epochs", "train_seconds", "git", "device", "config_sha256")
    plugin = load_plugin(one.cell.experiment.task)
    return {
        "rule": one.cell.rule.name,
        "set": list(one.overrides),
        "valid": {key: value for key, value in valid_score(run).items() if key != "split"},
        **{name: result.get(name) for name in facts},
        "experiment_sha256": experiment_sha256(resolve(plugin.config, [run.config()])),
    }


def _copy_examples(source: Path, target: Path) -> None:
    path = source / "examples.jsonl"
    if path.exists():
        examples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        Run(target).keep_examples([{key: one[key] for key in OWN if key in one} for one in examples])


@dataclass(frozen=True, slots=True)
class CellStarted:
    """A run has begun, or goes on."""

    planned: Planned
    log: Path


@dataclass(frozen=True, slots=True)
class CellEnded:
    """A run has ended."""

    planned: Planned
    exit_code: int
    seconds: float
    message: str
    """What it said, where it failed."""


_ERROR = "lstmdrop: "

CellEvent = CellStarted | CellEnded
Listener = Callable[[CellEvent], None]


@dataclass(slots=True)
class _Job:
    planned: Planned
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    """Bytes that earlier tries left in the log."""
    started: float


def run_cells(
    planned: Sequence[Planned], *, jobs: int = 1, device: str = "auto", data_dir: Path | None = None,
    listener: Listener = lambda event: None,
) -> list[CellEnded]:  # fmt: skip
    """Run the cells that are ready, ``jobs`` at a time; a failed one stops no other.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the runs were told, wrote their checkpoints and ended.
    """
    waiting = [one for one in planned if one.is_ready][::-1]
    running: list[_Job] = []
    ended: list[CellEnded] = []
    with _terminated_like_interrupted(), _all_stopped(running):
        while waiting or running:
            while waiting and len(running) < jobs:
                job = _start(waiting.pop(), jobs, device, data_dir)
                running.append(job)
                listener(CellStarted(job.planned, job.log))
            for end in _collect(running):
                ended.append(end)
                listener(end)
            time.sleep(0.05)
    return ended


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as SIGINT does, or the runs would go on without their parent."""
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python allows no handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _all_stopped(running: Sequence[_Job]) -> Iterator[None]:
    """Whatever ends the block, no run outlives it: each is told, and writes its checkpoint."""
    try:
        yield
    finally:
        for job in running:
            if os.name == "nt":  # Windows sends no signals
                job.process.terminate()
            else:
                job.process.send_signal(signal.SIGINT)
        for job in running:
            job.process.wait()


def command(planned: Planned, device: str = "auto", data_dir: Path | None = None) -> list[str]:
    """What ``lstmdrop`` is told for one cell."""
    cell = planned.cell
    experiment = cell.experiment
    where = ["--data-dir", str(data_dir)] if data_dir else []
    if planned.members:
        runs = [f"--run={member}" for member in planned.members]
        return ["eval", experiment.task, *runs, "--out", str(planned.directory), "--device", device, *where]
    options = {
        "--size": experiment.size, "--data": experiment.data, "--regularizer": cell.rule.rule, "--seed": str(cell.seed),
        "--out": str(planned.directory), "--device": device,
    }  # fmt: skip
    words = [word for option in options.items() for word in option]
    words += [word for override in planned.overrides for word in ("--set", override)]
    return ["train", experiment.task, *words, *where, "--resume"]


def _start(planned: Planned, jobs: int, device: str, data_dir: Path | None) -> _Job:
    log = planned.directory.with_name(f"{planned.directory.name}.txt")
    log.parent.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with log.open("ab") as file:
        log_start = file.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "lstmdrop", *command(planned, device, data_dir)],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={"OMP_NUM_THREADS": threads, **os.environ},
            start_new_session=True,  # Ctrl-C in the terminal would reach them too, and two are taken as 'at once'
        )  # fmt: skip
    return _Job(planned, process, log, log_start, time.monotonic())


def _collect(running: list[_Job]) -> Iterator[CellEnded]:
    for job in list(running):
        exit_code = job.process.poll()
        if exit_code is None:
            continue
        running.remove(job)
        message = "" if exit_code == 0 else _complaint(job.log.read_bytes()[job.log_start :])
        yield CellEnded(job.planned, exit_code, time.monotonic() - job.started, message)


def _complaint(said: bytes) -> str:
    """The last error, which may have several lines, else the last line."""
    lines = [line.strip() for line in said.decode("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
    if errors:
        return " ".join(lines[errors[-1] :]).removeprefix(_ERROR)
    return (lines or ["it said nothing"])[-1]
