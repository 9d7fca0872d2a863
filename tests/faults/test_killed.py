"""Killed at random moments, whatever it was doing, it does in the end what an undisturbed life does, to the bit."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from faults.notes import Fault, FaultMaker, times

pytest.importorskip("fcntl", reason="processes are forked where the system can")

from faults import life
from faults.lives import Forked, Life, Own, Undisturbed, kill_after, require_alike

KILLS = 100
"""Of each task in the long form; those of processes of their own, which import everything anew, are among them."""

OWN_KILLS = 8
NUM_TRIALS = times(4)
"""Tests that share the kills of a task, so that workers can."""

HOLDS = "the same commands again end alike to the bit"
STAGES = ("preparing and encoding", "training", "scoring", "scoring again, publishing, reporting")


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
@pytest.mark.parametrize("trial", range(NUM_TRIALS))
@pytest.mark.parametrize("task", life.TRIED)
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(
    fault: FaultMaker, undisturbed: Callable[[str], Undisturbed], place: Path, task: str, trial: int
) -> None:
    expected, choose = undisturbed(task), random.Random(f"{task} {trial}")
    rows = {name: fault("killed", f"kill -9, {task}: {name}", HOLDS) for name in STAGES}
    wanted = math.ceil(times(KILLS - OWN_KILLS, least=2) / NUM_TRIALS)
    while wanted > 0:
        folder = Path(tempfile.mkdtemp(dir=place))
        wanted -= live_and_die(
            folder, partial(Forked, life.live, folder, life.commands(task)), expected.seconds, wanted, choose, rows
        )
        require_alike(folder, task, expected, rows[stage(folder)])
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", life.TRIED)
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
            require_alike(folder, task, expected, row)
            shutil.rmtree(folder)
            folder = Path(tempfile.mkdtemp(dir=place))
    require_alike(folder, task, expected, row)
