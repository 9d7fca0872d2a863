"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _named_tests() -> list[tuple[str, str]]:
    """File and function of every test that the table of cases names; ``::name`` alone is of the file before it."""
    found: list[tuple[str, str]] = []
    for row in (ROOT / "docs/cases.md").read_text(encoding="utf-8").splitlines():
        path = ""
        for file, name in re.findall(r"(tests/[\w/]+\.py)?(?:::(\w+))?", row):
            path = file or path
            if path and (file or name):
                found.append((path, name))
    return found


def test_every_kind_of_case_names_a_test() -> None:
    rows = [
        line
        for line in (ROOT / "docs/cases.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (?!---|kind)", line)
    ]
    assert len(rows) > 50
    assert [row for row in rows if "tests/" not in row] == []


@pytest.mark.parametrize(("path", "name"), _named_tests())
def test_the_tests_that_hold_the_kinds_exist(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {name}(" in source if name else source


DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if "results" not in path.parts]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_links_to_is_there(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_what_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+(?:/|\.py))`", text.split("## A task")[0])
    assert len(named) > 15
    assert [part for part in named if not (ROOT / "src/lstmdrop" / part).exists()] == []


def test_the_architecture_names_all_there_is() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    parts = [path.name for path in (ROOT / "src/lstmdrop").iterdir() if not path.name.startswith("__")]
    named = [part for part in parts if part not in ("errors.py", "py.typed")]
    assert [part for part in named if f"`{part}" not in text] == []
