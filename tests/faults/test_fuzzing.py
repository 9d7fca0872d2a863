"""Every parser of ours keeps one law, whatever it reads: a result, or one error (`fuzz.held`).

Seeds are sound files and those that once broke the law. Here they are given as they are and changed at random;
`make fuzz` lets atheris change them, guided by which lines are run.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from faults.notes import FaultMaker, times
from fuzz import SEEDS, held
from fuzz_targets import TARGETS, seeds

SIGNS = [
    *(sign.encode() for sign in "\"'{}[](<>,:=.|/\\\n\r\t 0"), b"..", b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"-1", b"1e999", b"NaN", b"null", b"true", b"9" * 30, b"1" * 5000, b"[" * 2000, b'{"a":' * 500, b"\\ud800", b"%s",
    b"PK\x03\x04", b"\x1f\x8b",
]  # fmt: skip
"""What parsers make something of."""

edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(SIGNS) | st.binary(max_size=8)),
    min_size=1,
    max_size=5,
)
"""Where, how many bytes are taken away, and what is put in."""


def edited(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for share, taken, put in changes:
        place = round(share * len(content))
        content = content[:place] + put + content[place + taken :]
    return content


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_kept_for_a_parser_keeps_the_law(tmp_path: Path, fault: FaultMaker, name: str) -> None:
    kept = list(seeds(name, SEEDS))
    assert kept, "every parser has a file from which others are made"
    note = fault(
        "fuzzing", "files that are kept, sound ones and those that once broke the law", "a result or one error"
    )
    outcomes = set()
    for content in kept:
        with note.one(name):
            outcomes.add(held(name, content, tmp_path))
    assert "result" in outcomes, "one of them at least is sound"


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_keeps_the_law(tmp_path: Path, fault: FaultMaker, name: str) -> None:
    kept = list(seeds(name, SEEDS))
    note = fault("fuzzing", "files changed at random (hypothesis)", "a result or one error")

    @settings(
        max_examples=times(1000, 8), deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @seed(7)
    @given(st.sampled_from(kept), edits)
    def law(content: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        with note.one(name):
            held(name, edited(content, changes), tmp_path)

    law()


def test_the_law_can_be_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a parser that lets an exception of another kind out is caught."""
    monkeypatch.setitem(
        TARGETS, "broken", TARGETS["vocabulary"]._replace(read=lambda path: json.loads(path.read_bytes()))
    )
    with pytest.raises(ValueError, match="Expecting value"):
        held("broken", b"no JSON", tmp_path)
