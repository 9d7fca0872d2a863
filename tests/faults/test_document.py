"""What is noted of faults reaches the document, whatever has happened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faults.document import UnplacedError, with_tables
from faults.notes import SHARE, Fault, read_notes, times

PLACES = "before\n<!-- faults: a -->\nold\n<!-- end of a -->\nbetween\n<!-- faults: b -->\nold\n<!-- end of b -->\n"


def test_tries_of_one_fault_are_one_row_and_what_was_lost_is_told(tmp_path: Path) -> None:
    for number in range(3):
        fault = Fault("a", "a | fault", "it holds", test=f"tests/x.py::test[{number}]", seconds=20)
        with fault.one():
            pass
        if number == 2:
            with pytest.raises(ValueError, match="weights"), fault.one("case 7"):
                raise ValueError("weights differ\nby much")
        fault.write(tmp_path)
    text = with_tables(PLACES, read_notes(tmp_path), share=1)
    assert "| a \\| fault | it holds | 4 | **1**: case 7: weights differ |" in text
    assert "4 tries in 1.0 minutes of one process, the long form" in text
    assert text.endswith("between\n<!-- faults: b -->\nold\n<!-- end of b -->\n")  # of which nothing was noted
    assert with_tables(text, read_notes(tmp_path), share=1) == text


def test_a_fault_without_a_place_is_refused() -> None:
    with pytest.raises(UnplacedError, match="for c"):
        with_tables(PLACES, [Fault("c", "name", "holds")], share=0)


def test_how_often_is_a_share_of_the_long_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHARE, raising=False)
    assert times(100, least=2) == 2
    monkeypatch.setenv(SHARE, "0.25")
    assert times(100, least=2) == 25
    monkeypatch.setenv(SHARE, "1")
    assert times(100) == 100


def test_the_document_has_a_place_for_every_fault_that_the_tests_note() -> None:
    root = Path(__file__).parents[2]
    tests = [path.read_text(encoding="utf-8") for path in (root / "tests/faults").glob("test_*.py")]
    sections = {section for text in tests for section in re.findall(r"\bfault\(\s*[\"'](\w+)[\"']", text)}
    text = (root / "docs/reliability.md").read_text(encoding="utf-8")
    with_tables(text, [Fault(section, "", "") for section in sections], share=0)
