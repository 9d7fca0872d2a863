"""Faults made on purpose: each test notes what it tried, and `make faults` writes the notes into a document.

A test asks for ``fault(section, name, holds)`` and wraps each try in ``with fault.one(case):``. How often it tries is
`faults.notes.times`, few in `make test` and many in `make faults`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.notes import FOLDER, Fault, FaultMaker

_OUTCOME = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[misc, assignment]
    if report.when == "call":
        item.stash[_OUTCOME] = report
    return report  # type: ignore[return-value]


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Iterator[FaultMaker]:
    """Begins the note of a fault, which is written when the test has ended, however it did."""
    begun: list[Fault] = []
    start = time.monotonic()

    def begin(section: str, name: str, holds: str) -> Fault:
        begun.append(Fault(section, name, holds, test=request.node.nodeid))
        return begun[-1]

    yield begin
    report = request.node.stash.get(_OUTCOME, None)
    for note in begun:
        note.seconds = (time.monotonic() - start) / len(begun)
        if report is not None and report.skipped:
            note.left_out = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        elif report is not None and report.failed and not note.lost:
            note.lost.append(str(report.longrepr).splitlines()[-1][:200])
        if folder := os.environ.get(FOLDER):
            note.write(Path(folder))


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder in memory, where there is such a thing: what is tried here is not the disk."""
    from faults.lives import IN_MEMORY

    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def undisturbed(place: Path) -> Callable[[str], Any]:
    """What comes of a life that nobody disturbs, by task: see `faults.lives`."""
    from faults.lives import Undisturbed
    from faults.lives import undisturbed as live

    found: dict[str, Undisturbed] = {}

    def of(task: str) -> Undisturbed:
        if task not in found:
            folder = place / f"undisturbed-{task}"
            folder.mkdir()
            found[task] = live(folder, task)
        return found[task]

    return of
