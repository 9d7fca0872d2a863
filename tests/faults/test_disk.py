"""A disk that is full, or refuses: a line that says so, and with room the same commands end alike."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.notes import FaultMaker, times

pytest.importorskip("fcntl", reason="processes are forked where the system can")

from faults import life
from faults.lives import Forked, Undisturbed, require_a_line, require_alike
from faults.refusals import REASONS, Change, live_noting, live_on_quota, live_refused

HOLDS = "a line that names the place; with room, the same commands end alike to the bit"
SAID = 1 << 12
"""Bytes that the messages of a life need, which go into a file too."""

REFUSALS, QUOTAS, DISKS = 25, 10, 10
"""Of each task in the long form."""

Expect = Callable[[str], Undisturbed]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", life.TRIED)
def test_a_change_of_the_disk_that_is_refused_costs_nothing(
    fault: FaultMaker, undisturbed: Expect, place: Path, task: str
) -> None:
    """Every kind of change: the first time, and the last."""
    expected, choose = undisturbed(task), random.Random(task)
    rows = {
        reason: fault("disk", f"a write, rename, link or new folder is refused: {os.strerror(reason)}", HOLDS)
        for reason in REASONS
    }
    folder = Path(tempfile.mkdtemp(dir=place))
    assert Forked(live_noting, folder, life.commands(task), place / f"changes-{task}").ended(None) == 0
    shutil.rmtree(folder)
    counts = Counter((place / f"changes-{task}").read_text().splitlines())
    cases = [Change(kind, number) for kind, count in counts.items() for number in {1, count}]
    choose.shuffle(cases)
    for number, change in enumerate(cases[: times(REFUSALS)]):
        reason = REASONS[(number + life.TASKS.index(task)) % len(REASONS)]
        rows[reason].tried += 1
        folder = Path(tempfile.mkdtemp(dir=place))
        code = Forked(live_refused, folder, life.commands(task), change, reason).ended(None)
        require_a_line(code, folder, rows[reason])
        require_alike(folder, task, expected, rows[reason])
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", life.TRIED)
def test_a_quota_that_ends_in_the_middle_of_a_file_costs_nothing(
    fault: FaultMaker, undisturbed: Expect, place: Path, task: str
) -> None:
    expected, choose = undisturbed(task), random.Random(task)
    row = fault("disk", "a file reaches its largest size in its middle (RLIMIT_FSIZE)", HOLDS)
    sizes = sorted({path.stat().st_size for path in (place / f"undisturbed-{task}").rglob("*") if path.is_file()})
    for _ in range(times(QUOTAS)):
        row.tried += 1
        folder = Path(tempfile.mkdtemp(dir=place))
        code = Forked(live_on_quota, folder, life.commands(task), max(SAID, choose.choice(sizes) * 2 // 3)).ended(None)
        require_a_line(code, folder, row)
        require_alike(folder, task, expected, row)
        shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system in memory of so many bytes, or gives the one that is there another size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def sized(num_bytes: int) -> Path:
        again = "remount," if disk.is_mount() else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{again}size={num_bytes}", "tmpfs", str(disk)]
        if (shutil.which("mount") is None) or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("file systems cannot be mounted here")
        return disk

    yield sized
    if disk.is_mount():
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", life.TRIED)
def test_a_disk_that_is_full_costs_nothing(
    fault: FaultMaker, undisturbed: Expect, place: Path, small_disk: Callable[[int], Path], task: str
) -> None:
    row = fault("disk", "the disk is full (a tmpfs of a random size)", HOLDS)
    expected, choose = undisturbed(task), random.Random(task)
    files = [path for path in (place / f"undisturbed-{task}").rglob("*") if path.is_file()]
    needed = sum(-(-path.stat().st_size // 4096) for path in files)
    for _ in range(times(DISKS)):
        row.tried += 1
        folder = small_disk(choose.randint(2, needed) * 4096)
        code = Forked(life.live, folder, life.commands(task)).ended(None)
        small_disk(1 << 28)
        require_a_line(code, folder, row)
        require_alike(folder, task, expected, row)
        subprocess.run(["umount", str(folder)], check=True)
