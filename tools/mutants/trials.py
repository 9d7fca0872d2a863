"""Lines are chosen, broken one after the other, and the tests asked."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mutants.changes import Change, find_changes
from mutants.lines import Lines
from mutants.tree import BrokenSuiteError, Tree

PATIENCE = 10
"""How many times the seconds that the tests take on the whole line they may take on the broken one."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one change in it."""

    file: str
    source: str
    change: Change

    def before(self) -> str:
        """The changed lines as they are."""
        return self._shown(self.source, self.change.edit.end)

    def after(self) -> str:
        """The changed lines as they become."""
        edit = self.change.edit
        return self._shown(edit.applied(self.source), edit.start + len(edit.text))

    def _shown(self, source: str, end: int) -> str:
        first, last = self.change.line, source.count("\n", 0, end) + 1
        return " ".join(" ".join(source.splitlines()[first - 1 : last]).split())


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a mutant: the first test that noticed it, if any did."""

    mutant: Mutant
    noticed_by: str | None
    was_run: bool
    """Whether any test runs the line."""


def choose(root: Path, source: str, number: int, seed: int) -> list[Mutant]:
    """So many lines of the Python files in a folder, or all where there are fewer, each with one change."""
    lines = [changes for file in sorted((root / source).rglob("*.py")) for changes in _by_line(root, file)]
    draw = random.Random(seed)
    chosen = draw.sample(range(len(lines)), min(number, len(lines)))
    return [draw.choice(lines[place]) for place in sorted(chosen)]


def tried(tree: Tree, lines: Lines, mutants: Iterable[Mutant]) -> Iterator[Trial]:
    """Break one after the other.

    First the tests that run the line are asked, then all others: what one test made, another may look at.
    """
    for mutant in mutants:
        names = lines.tests_of(mutant.file, mutant.change)
        was_run = bool(names) or mutant.change.at_import
        yield Trial(mutant, _first_to_notice(tree, lines, mutant, names) if was_run else None, was_run)


def require_sound(tree: Tree, lines: Lines, trials: Iterable[Trial]) -> None:
    """Import all tests, and ask those that noticed something once more, with nothing broken.

    Raises:
        BrokenSuiteError: one of them fails there too, so that it noticed nothing.
    """
    names = sorted({trial.noticed_by for trial in trials if trial.noticed_by} & lines.costs.keys())
    found = tree.first_to_notice([], list(lines.costs), 0)
    if found is None and names:
        found = tree.first_to_notice(names, [], PATIENCE * lines.seconds(names))
    if found is not None:
        raise BrokenSuiteError(found)


def _first_to_notice(tree: Tree, lines: Lines, mutant: Mutant, names: list[str]) -> str | None:
    with tree.broken(mutant.file, mutant.change.edit.applied(mutant.source)):
        found = tree.first_to_notice(names, [], PATIENCE * lines.seconds(names)) if names else None
        if found is None:
            found = tree.first_to_notice([], names, PATIENCE * lines.seconds(lines.costs))
        return found


def _by_line(root: Path, file: Path) -> Iterator[list[Mutant]]:
    source, name = file.read_text(encoding="utf-8"), file.relative_to(root).as_posix()
    for _, changes in groupby(find_changes(source), key=lambda change: change.line):
        yield [Mutant(name, source, change) for change in changes]
