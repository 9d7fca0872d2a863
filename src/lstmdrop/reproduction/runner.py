"""Running the open cells of a plan, each in a process of its own, and collecting what they made."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lstmdrop.parsing import document_lines, parse_json, to_json
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
from lstmdrop.report.rules import KEPT_TRIES, read_tries
from lstmdrop.reproduction.grid import GridCell
from lstmdrop.reproduction.plan import Planned, experiment_sha256, valid_score
from lstmdrop.reproduction.process import CellProcess, command, complaint, log_of, num_cores
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
        examples = [parse_json(line) for line in document_lines(path) if line.strip()]
        Run(target).keep_examples([{key: one[key] for key in OWN if key in one} for one in examples])


@dataclass(frozen=True, slots=True)
class CellStarted:
    """A run has begun, or goes on."""

    planned: Planned
    log: Path
    is_queued: bool = False
    """It begins when a machine of the cluster has room for it."""


@dataclass(frozen=True, slots=True)
class CellEnded:
    """A run has ended."""

    planned: Planned
    exit_code: int
    seconds: float
    message: str
    """What it said, where it failed; else a remark or nothing."""


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """Where the runs will be, and how many of them at a time."""

    about: str
    num_at_a_time: int


CellEvent = CellStarted | CellEnded | PlaceFound
Listener = Callable[[CellEvent], None]


class Place(Protocol):
    """Where cells run: the processes of this machine, or a cluster."""

    @property
    def has_room(self) -> bool:
        """Whether it takes one more cell now."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether a cell is there that has not ended."""
        ...

    def start(self, planned: Planned) -> CellStarted:
        """Take a cell."""
        ...

    def ended(self) -> Iterator[CellEnded]:
        """Those that ended since the last call; waits a moment for one."""
        ...

    def stop(self) -> None:
        """Tell every cell to write its checkpoint and end, and wait until all have."""
        ...


def run_cells(
    current: Callable[[], Sequence[Planned]], place: Place, listener: Listener = lambda event: None
) -> list[CellEnded]:
    """Run the cells of a plan that are ready, and each that waits for some as soon as these are done.

    A failed one stops no other. ``current`` looks at what there is, and is asked again whenever a cell has ended.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the runs were told, wrote their checkpoints and ended.
    """
    started: set[GridCell] = set()
    ended: list[CellEnded] = []

    def ready() -> list[Planned]:
        return [one for one in current() if one.is_ready and one.cell not in started]

    with _terminated_like_interrupted(), _all_stopped(place):
        waiting = ready()
        while waiting or place.is_busy:
            while waiting and place.has_room:
                started.add(waiting[0].cell)
                listener(place.start(waiting.pop(0)))
            new = list(place.ended())
            for end in new:
                listener(end)
            ended += new
            waiting = ready() if new else waiting
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
def _all_stopped(place: Place) -> Iterator[None]:
    """Whatever ends the block, no run outlives it."""
    try:
        yield
    finally:
        place.stop()


class Processes:
    """This machine, on which ``jobs`` cells run at a time, each with ``threads`` threads or its share of the cores."""

    def __init__(
        self, jobs: int = 1, *, threads: int | None = None, device: str = "auto", data_dir: Path | None = None
    ) -> None:
        share = os.environ.get("OMP_NUM_THREADS") or str(max(1, num_cores() // jobs))
        self._threads = str(threads) if threads else share
        self._jobs, self._device, self._data_dir = jobs, device, data_dir
        self._running: list[tuple[Planned, CellProcess]] = []

    @property
    def has_room(self) -> bool:
        """Whether fewer than ``jobs`` run."""
        return len(self._running) < self._jobs

    @property
    def is_busy(self) -> bool:
        """Whether any runs."""
        return bool(self._running)

    def start(self, planned: Planned) -> CellStarted:
        """Start a cell."""
        words = command(planned, self._device, self._data_dir)
        process = CellProcess.start(words, log_of(planned.directory), self._threads)
        self._running.append((planned, process))
        return CellStarted(planned, process.log)

    def ended(self) -> Iterator[CellEnded]:
        """Those that have ended."""
        for planned, process in list(self._running):
            if (exit_code := process.exit_code()) is not None:
                self._running.remove((planned, process))
                message = complaint(process.said()) if exit_code else ""
                yield CellEnded(planned, exit_code, process.seconds, message)
        time.sleep(0.05)

    def stop(self) -> None:
        """Interrupt all at once, then wait for each."""
        for _, process in self._running:
            process.interrupt()
        for _, process in self._running:
            process.wait()
