from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop.commands.report import BEGIN, END, Report, page, report, with_results, write_results
from lstmdrop.errors import DataError
from lstmdrop.report.table import to_markdown

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Report:
    """The committed results, under the names that the documented command gives them."""
    monkeypatch.chdir(ROOT)
    return report([Path("docs/results")])


@pytest.mark.parametrize("name", ["README.md", "docs/rules.md"])
def test_the_tables_of_a_document_are_those_of_the_committed_results(results: Report, name: str) -> None:
    """Else: make results."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert with_results(text, results) == text


def test_the_committed_tables_are_those_of_the_committed_results(results: Report) -> None:
    """Else: make results."""
    assert (ROOT / "docs/results/tables.md").read_text(encoding="utf-8") == to_markdown(results.tables)


def test_the_committed_page_is_that_of_the_committed_results(results: Report) -> None:
    """Else: make results."""
    assert results.problems == ()
    assert (ROOT / "docs/results/page.html").read_text(encoding="utf-8") == page(results, with_data=False)


def test_only_what_stands_between_the_markers_changes(tmp_path: Path, results: Report) -> None:
    path = tmp_path / "mine.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_results(path, results)
    text = path.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n| task, data, size |")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    assert "| zaremba 0.2 |" in text
    write_results(path, results)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_text_without_its_markers_is_left_alone(tmp_path: Path, results: Report, text: str) -> None:
    path = tmp_path / "mine.md"
    path.write_text(text)
    with pytest.raises(DataError, match="once each"):
        write_results(path, results)
    assert path.read_text() == text
