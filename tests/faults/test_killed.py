"""Killed at random moments, whatever it was doing, it does in the end what an undisturbed life does, to the bit."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from faults.notes import Fault, FaultMaker, times

pytest.importorskip("fcntl", reason="processes are forked where the system can")

from faults import life
from faults.lives import IN_MEMORY, Forked, Life, Own, Snapshot, differences, kill_after, snapshot

KILLS = 100
"""Of each task in the long form; those of processes of their own, which import everything anew, are among them."""

OWN_KILLS = 8
TRIALS = 4
"""Tests that share the kills of a task, so that workers can."""

HOLDS = (
    "the same commands again end as if nothing had happened: weights, scores, log, caches, folders, report, to the bit"
)
STAGES = ("preparing and encoding", "training", "scoring", "scoring again, publishing, reporting")


class Undisturbed(NamedTuple):
    seconds: float
    snapshot: Snapshot


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder in memory, where there is such a thing: what is tried here is not the disk."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Callable[[str], Undisturbed]:
    """What comes of a life that nobody disturbs, and how long it takes."""
    found: dict[str, Undisturbed] = {}

    def of(task: str) -> Undisturbed:
        if task not in found:
            Forked(life.make_demos_small).ended(None)  # the first life waits for the server
            folder = place / f"undisturbed-{task}"
            folder.mkdir()
            start = time.monotonic()
            end(Forked(life.live, folder, life.commands(task)), folder)
            found[task] = Undisturbed(time.monotonic() - start, snapshot(folder))
        return found[task]

    return of


def end(last: Life, folder: Path) -> None:
    code = last.ended(None)
    assert code == 0, f"exit {code}: {(folder / 'messages.txt').read_text().splitlines()[-1:]}"


def stage(folder: Path) -> str:
    """What the life was at when it ended."""
    run = folder / "run"
    if (run / "result.json").exists():
        return STAGES[3]
    if not (run / "last.safetensors").exists():
        return STAGES[0]
    return STAGES[2] if (run / "examples.jsonl").exists() or (run / "valid").exists() else STAGES[1]


def live_and_die(
    folder: Path, begin: Callable[[], Life], seconds: float, most: int, choose: random.Random, rows: dict[str, Fault]
) -> int:
    """Lives until one comes to its end by itself, or so many were killed; returns how many."""
    kills = 0
    while kills < most and kill_after(begin(), choose.uniform(0, seconds)):
        kills += 1
        rows[stage(folder)].tried += 1
    return kills


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("trial", range(times(TRIALS)))
@pytest.mark.parametrize("task", life.TASKS)
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(
    fault: FaultMaker, undisturbed: Callable[[str], Undisturbed], place: Path, task: str, trial: int
) -> None:
    expected, choose = undisturbed(task), random.Random(f"{task} {trial}")
    rows = {name: fault("killed", f"kill -9, {task}: {name}", HOLDS) for name in STAGES}
    wanted = times(KILLS // TRIALS - OWN_KILLS // TRIALS, least=2)
    while wanted > 0:
        folder = Path(tempfile.mkdtemp(dir=place))
        wanted -= live_and_die(
            folder, partial(Forked, life.live, folder, life.commands(task)), expected.seconds, wanted, choose, rows
        )
        assert_ends_alike(folder, task, expected, rows[stage(folder)])


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", life.TASKS)
def test_so_does_a_process_that_is_killed_while_it_imports(
    fault: FaultMaker, undisturbed: Callable[[str], Undisturbed], place: Path, task: str
) -> None:
    """Of these few have nothing imported when they begin."""
    expected, choose = undisturbed(task), random.Random(task)
    row = fault("killed", f"kill -9, {task}: a process of its own, from the start of Python on", HOLDS)
    folder = Path(tempfile.mkdtemp(dir=place))
    seconds = 3 + 2 * expected.seconds
    for _ in range(times(OWN_KILLS)):
        if live_and_die(folder, partial(Own, folder, task), seconds, 1, choose, dict.fromkeys(STAGES, row)) == 0:
            assert_ends_alike(folder, task, expected, row)
            folder = Path(tempfile.mkdtemp(dir=place))
    assert_ends_alike(folder, task, expected, row)


def assert_ends_alike(folder: Path, task: str, expected: Undisturbed, row: Fault) -> None:
    try:
        end(Forked(life.live, folder, life.commands(task)), folder)
        assert differences(snapshot(folder), expected.snapshot) == []
        assert "Traceback" not in (folder / "messages.txt").read_text()
    except AssertionError as error:
        row.lost.append(str(error).splitlines()[0][:200])
        raise
    shutil.rmtree(folder)
