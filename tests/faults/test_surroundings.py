"""Folders that may not be written, clocks, neighbours, runs that are moved: a line that says so, or no difference."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.notes import FaultMaker, times

pytest.importorskip("fcntl", reason="processes are forked where the system can")

from faults import life
from faults.lives import (
    Forked,
    Undisturbed,
    differences,
    failure,
    kill_after,
    require_a_line,
    require_alike,
    snapshot,
)
from faults.refusals import live_back_in_time, live_without_rights

Expect = Callable[[str], Undisturbed]
TRIES = 8
"""Of each task in the long form."""

PLACES = ("", "cache", "run", "run/assets", "run/config.json", "run/last.safetensors", "run/best.safetensors")

REFUSED = ("another process is training in", "is not an empty folder")
"""What the second of two is told of a run, or of what else it was to make."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.parametrize("task", life.TRIED)]


REFUSED = (
    "another process is training in", "was filled by another process meanwhile", "is in use by another process",
    "is not an empty folder",
)  # fmt: skip
"""What one of two processes is told, wherever they meet."""


def killed_at_random(place: Path, task: str, expected: Undisturbed, choose: random.Random) -> Path:
    """The folder of a life that had come somewhere."""
    folder = Path(tempfile.mkdtemp(dir=place))
    for name in ("messages.txt", *(f"output-{number}.txt" for number in range(len(life.commands(task))))):
        (folder / name).touch()
    kill_after(Forked(life.live, folder, life.commands(task)), choose.uniform(0, expected.seconds))
    return folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="root gives up its rights as Linux has it")
def test_what_may_not_be_written_or_read_is_named(
    fault: FaultMaker, undisturbed: Expect, place: Path, task: str
) -> None:
    row = fault(
        "surroundings", "no permission, or a read-only folder: where the run goes, the run, a file of it, the cache",
        "a line that names the place; with permission, the same commands end alike to the bit",
    )  # fmt: skip
    expected, choose = undisturbed(task), random.Random(task)
    for _ in range(times(TRIES)):
        folder = killed_at_random(place, task, expected, choose)
        path = folder / choose.choice([name for name in PLACES if (folder / name).exists()])
        mode = path.stat().st_mode
        path.chmod(0o555 if path.is_dir() else 0)
        row.tried += 1
        code = Forked(live_without_rights, folder, life.commands(task)).ended(None)
        path.chmod(mode)
        require_a_line(code, folder, row)
        require_alike(folder, task, expected, row)
        shutil.rmtree(folder)


def test_a_clock_that_goes_back_changes_nothing(fault: FaultMaker, undisturbed: Expect, place: Path, task: str) -> None:
    row = fault(
        "surroundings", "the clock goes back an hour at each look, and all files are of next year",
        "the same end to the bit",
    )  # fmt: skip
    expected, choose = undisturbed(task), random.Random(task)
    for _ in range(times(TRIES // 2)):
        folder = killed_at_random(place, task, expected, choose)
        for path in folder.rglob("*"):
            os.utime(path, (path.stat().st_mtime + 3e7,) * 2)
        with row.one(task):
            assert failure(Forked(live_back_in_time, folder, life.commands(task)), folder) == ""
            assert differences(snapshot(folder), expected.snapshot) == []
        shutil.rmtree(folder)


def test_two_processes_on_one_run_do_not_meet(fault: FaultMaker, undisturbed: Expect, place: Path, task: str) -> None:
    row = fault(
        "surroundings", "two processes train in one folder",
        "one of them is refused in a line; the same commands end alike to the bit",
    )  # fmt: skip
    expected, choose = undisturbed(task), random.Random(task)
    for _ in range(times(TRIES)):
        folder = killed_at_random(place, task, expected, choose)
        codes = [one.ended(None) for one in [Forked(life.live, folder, life.commands(task)) for _ in range(2)]]
        messages = (folder / "messages.txt").read_text(encoding="utf-8")
        with row.one(task):
            assert set(codes) <= {0, 1, 2}, messages[-400:]
            assert "Traceback" not in messages
            assert codes == [0, 0] or any(line in messages for line in REFUSED), messages[-400:]
        (folder / "messages.txt").write_text("")
        require_alike(folder, task, expected, row)
        shutil.rmtree(folder)


def test_two_processes_share_a_cache_and_its_datasets(
    fault: FaultMaker, undisturbed: Expect, place: Path, task: str
) -> None:
    row = fault("surroundings", "two processes make one dataset and one cache at once", "each ends alike to the bit")
    expected = undisturbed(task)
    wanted = {name: value for name, value in expected.snapshot.items() if not name.startswith("cache/")}
    for _ in range(times(TRIES // 2)):
        cache = Path(tempfile.mkdtemp(dir=place))
        folders = [Path(tempfile.mkdtemp(dir=place)) for _ in range(2)]
        lives = [Forked(life.live, folder, life.commands(task), cache) for folder in folders]
        with row.one(task):
            for one, folder in zip(lives, folders, strict=True):
                assert failure(one, folder) == ""
                found = {name.replace(str(cache), "cache"): value for name, value in snapshot(folder).items()}
                assert [line for line in differences(found, wanted) if "examples.jsonl" not in line] == []
        for folder in (cache, *folders):
            shutil.rmtree(folder)


def test_a_run_that_is_moved_goes_on(fault: FaultMaker, undisturbed: Expect, place: Path, task: str) -> None:
    row = fault("surroundings", "the run is moved and renamed between stop and resume", "the same end to the bit")
    expected, choose = undisturbed(task), random.Random(task)
    for number in range(times(TRIES)):
        folder = killed_at_random(place, task, expected, choose)
        if not (folder / "run" / "config.json").exists():
            continue
        elsewhere = folder / "elsewhere" / f"moved {number}"
        elsewhere.parent.mkdir()
        (folder / "run").rename(elsewhere)
        train = [str(elsewhere) if part == "run" else part for part in life.commands(task)[0]]
        with row.one(task):
            assert failure(Forked(life.live, folder, [train]), folder) == ""
            wanted = {name: value for name, value in expected.snapshot.items() if name.startswith("run/")}
            found = {f"run/{name}": value for name, value in snapshot(elsewhere).items()}
            assert [line for line in differences(found, wanted) if "examples.jsonl" not in line] == []
        shutil.rmtree(folder)
