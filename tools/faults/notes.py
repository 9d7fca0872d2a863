"""How often each fault is tried, and what is noted of it: one JSON file for each test."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARE = "LSTMDROP_FAULTS"
"""The variable that says how much of the long form is tried: 1 is all of it; unset, a few of each."""

FOLDER = "LSTMDROP_FAULTS_NOTES"
"""The variable that names the folder for the notes; unset, none are written."""


def share() -> float:
    """How much of the long form is tried: 0 for the short form."""
    return float(os.environ.get(SHARE) or 0)


def times(long: int, least: int = 1) -> int:
    """How often to try a fault that the long form tries ``long`` times; ``least`` in the short form."""
    return max(least, math.ceil(long * share()))


@dataclass(slots=True)
class Fault:
    """One fault as one test tried it; parametrised tests give the same ``section`` and ``name`` and are one row."""

    section: str
    """Which table of the document it is in: see `faults.document`."""
    name: str
    """What is done, as a row begins."""
    holds: str
    """What must come of it."""
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    """What did not hold."""
    left_out: str = ""
    """Why it could not be tried here."""
    seconds: float = 0.0
    test: str = ""

    @contextmanager
    def one(self, case: object = "") -> Iterator[None]:
        """Around one try; where what must hold does not, it is noted and the test fails.

        Raises:
            AssertionError: of the block.
        """
        self.tried += 1
        try:
            yield
        except BaseException as error:
            self.lost.append(f"{case}: {error}".splitlines()[0][:200])
            raise

    def write(self, folder: Path) -> None:
        """Into a file that belongs to the test."""
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(f"{self.test} {self.section} {self.name}".encode()).hexdigest()[:16]
        (folder / f"{name}.json").write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


FaultMaker = Callable[[str, str, str], Fault]
"""``fault(section, name, holds)``: begins the note of one fault."""


def read_notes(folder: Path) -> Sequence[Fault]:
    """All notes of a folder, in the order of the tests."""
    faults = [Fault(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")]
    return sorted(faults, key=lambda fault: (fault.test.partition("[")[0], fault.section, fault.name, fault.test))
