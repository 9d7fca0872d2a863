"""Which tests run which line, recorded once for a state of the tree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mutants.changes import Change
from mutants.tree import Tree

CACHE = ".mutation"


@dataclass(frozen=True, slots=True)
class Lines:
    """Of each line the tests that run it, and of each test the seconds that it takes."""

    costs: dict[str, float]
    tests: dict[str, dict[int, list[str]]]

    def tests_of(self, file: str, change: Change) -> list[str]:
        """The tests that run a changed line, cheapest first, those of one file together.

        What runs when the module is imported, or only then, is run by every test: here by all that then use the
        module, or have its folder's name.
        """
        known = self.tests.get(file, {})
        runs = [known[line] for line in (change.line, change.statement) if line in known]
        found = {name for names in runs for name in names}
        if change.at_import or (runs and not found):
            found = {name for names in known.values() for name in names}
            found |= {name for name in self.costs if name.startswith(_folder_of(file))}
        return self._cheapest_first(found)

    def seconds(self, names: Iterable[str]) -> float:
        """How long tests take, one after the other."""
        return sum(self.costs[name] for name in names)

    def _cheapest_first(self, names: set[str]) -> list[str]:
        files: dict[str, float] = {}
        for name in names:
            file = name.partition("::")[0]
            files[file] = files.get(file, 0.0) + self.costs[name]
        return sorted(
            names, key=lambda name: (files[name.partition("::")[0]], name.partition("::")[0], self.costs[name])
        )


def record_lines(tree: Tree, source: str, cache: Path) -> Lines:
    """What was recorded of this state of the tree, or is recorded now.

    Raises:
        BrokenSuiteError: the tests do not pass as they are.
    """
    path = cache / f"{_digest(tree.root)}.json"
    if not path.exists():
        cache.mkdir(exist_ok=True)
        for old in cache.glob("*.json"):
            old.unlink()
        tree.record(source, path)
    found = json.loads(path.read_text(encoding="utf-8"))
    names = list(found["costs"])
    tests = {
        file: {int(line): [names[number] for number in numbers] for line, numbers in lines.items()}
        for file, lines in found["lines"].items()
    }
    return Lines(found["costs"], tests)


def _folder_of(file: str) -> str:
    """Where the tests of ``src/PACKAGE/part/module.py`` are, or those of ``src/PACKAGE/module.py``."""
    part, *rest = Path(file).with_suffix("").parts[2:]
    return f"tests/{part}/" if rest else f"tests/test_{part}.py"


def _digest(root: Path) -> str:
    """Of all Python files and settings."""
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.glob("*.toml")]):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
