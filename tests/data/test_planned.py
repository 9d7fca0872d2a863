"""Laws of planned batches."""

from __future__ import annotations

import numpy as np
import pytest

from lstmdrop.data.batching import PlannedBatches

PLAN = [np.array(numbers) for numbers in ([3, 1], [2], [0, 4])]


def test_batches_come_in_the_order_of_the_plan() -> None:
    assert list(PlannedBatches(PLAN, np.ndarray.tolist)) == [[3, 1], [2], [0, 4]]
    assert len(PlannedBatches(PLAN, np.ndarray.tolist)) == 3


def test_only_what_is_asked_for_is_made() -> None:
    made: list[list[int]] = []
    batches = PlannedBatches(PLAN, lambda numbers: made.append(numbers.tolist()))
    rest = iter(batches[1:])
    assert made == []
    next(rest)
    assert made == [[2]]
    with pytest.raises(IndexError):
        batches[3]
