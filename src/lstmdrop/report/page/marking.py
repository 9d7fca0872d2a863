"""A predicted line against its reference: what is right, wrong, missing and too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["right", "wrong", "extra", "missing"]


class Mark(NamedTuple):
    """One word of an alignment."""

    kind: Kind
    predicted: str
    """Empty where a word is missing."""
    expected: str
    """Empty where a word is extra."""


def align(predicted: Sequence[str], expected: Sequence[str]) -> list[Mark]:
    """The alignment with the fewest edits (Levenshtein 1966), as word error rate counts them."""
    costs = _costs(predicted, expected)
    marks: list[Mark] = []
    row, column = len(predicted), len(expected)
    while row or column:
        if (
            row
            and column
            and costs[row][column] == costs[row - 1][column - 1] + (predicted[row - 1] != expected[column - 1])
        ):
            row, column = row - 1, column - 1
            kind: Kind = "right" if predicted[row] == expected[column] else "wrong"
            marks.append(Mark(kind, predicted[row], expected[column]))
        elif row and costs[row][column] == costs[row - 1][column] + 1:
            row -= 1
            marks.append(Mark("extra", predicted[row], ""))
        else:
            column -= 1
            marks.append(Mark("missing", "", expected[column]))
    return marks[::-1]


def _costs(predicted: Sequence[str], expected: Sequence[str]) -> list[list[int]]:
    costs = [list(range(len(expected) + 1))]
    for number, word in enumerate(predicted, start=1):
        above, row = costs[-1], [number]
        for column, other in enumerate(expected):
            row.append(min(above[column] + (word != other), above[column + 1] + 1, row[-1] + 1))
        costs.append(row)
    return costs
