"""Padded batches cut into pieces in which every row is still running."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from lstmdrop.nn.shapes import require_lengths


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


def read_backwards(
    rows: Shaped[Tensor, "time batch *features"], lengths: Int[Tensor, " batch"] | None = None
) -> Shaped[Tensor, "time batch *features"]:
    """Each row from its own end to its start, its padding left where it is; its own inverse.

    Raises:
        ValueError: the lengths are not those of these rows.
    """
    num_steps, batch_size = rows.shape[:2]
    ends = torch.full((batch_size,), num_steps) if lengths is None else lengths
    require_lengths(ends, num_steps, batch_size, shortest=0)
    ends = ends.to(rows.device)
    steps = torch.arange(num_steps, device=rows.device)[:, None]
    order = torch.where(steps < ends, ends - 1 - steps, steps)
    return rows[order, torch.arange(batch_size, device=rows.device)]
