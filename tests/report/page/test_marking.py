from __future__ import annotations

import random

from lstmdrop.metrics.segments import edit_distance
from lstmdrop.report.page.examples import align


def kinds(predicted: str, expected: str) -> list[str]:
    return [mark.kind for mark in align(predicted.split(), expected.split())]


def test_words_are_right_wrong_extra_or_missing() -> None:
    assert kinds("a b c", "a x c") == ["right", "wrong", "right"]
    assert kinds("a b c", "a c") == ["right", "extra", "right"]
    assert kinds("a c", "a b c") == ["right", "missing", "right"]
    assert kinds("", "a") == ["missing"]
    assert kinds("a", "") == ["extra"]
    assert kinds("", "") == []


def test_an_alignment_has_the_fewest_edits_and_loses_no_word() -> None:
    choose = random.Random(2)
    for _ in range(80):
        predicted, expected = (choose.choices("abc", k=choose.randint(0, 8)) for _ in range(2))
        marks = align(predicted, expected)
        assert sum(mark.kind != "right" for mark in marks) == edit_distance(predicted, expected)
        assert [mark.predicted for mark in marks if mark.predicted] == predicted
        assert [mark.expected for mark in marks if mark.expected] == expected
