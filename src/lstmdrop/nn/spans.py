"""Padded batches cut into pieces in which every row is still running."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Int
from torch import Tensor


class Span(NamedTuple):
    """Some steps, and the rows that have not ended before them."""

    steps: slice
    rows: slice


WHOLE = (Span(slice(None), slice(None)),)


def spans(lengths: Int[Tensor, " batch"]) -> list[Span]:
    """The pieces of a batch whose rows are sorted by falling length: as many as there are different lengths.

    Raises:
        ValueError: a row has no step, or the rows are not sorted.
    """
    steps = [int(length) for length in lengths]
    if min(steps, default=0) < 1 or steps != sorted(steps, reverse=True):
        raise ValueError(f"lengths must fall and be at least 1, not {steps}")
    pieces, start = [], 0
    for end in sorted(set(steps)):
        num_rows = sum(length >= end for length in steps)
        pieces.append(Span(slice(start, end), slice(num_rows)))
        start = end
    return pieces
