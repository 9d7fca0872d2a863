"""Batches that are planned first and made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
BatchT = TypeVar("BatchT")


class PlannedBatches(Sequence[BatchT], Generic[BatchT]):
    """A sequence of batches, so that a run that goes on makes none of those that it has seen.

    ``plan`` has the numbers of each batch's items, and ``make`` makes the batch of them.
    """

    def __init__(self, plan: Sequence[Numbers], make: Callable[[Numbers], BatchT]) -> None:
        self._plan = plan
        self._make = make

    def __len__(self) -> int:
        return len(self._plan)

    @overload
    def __getitem__(self, place: int) -> BatchT: ...
    @overload
    def __getitem__(self, place: slice) -> PlannedBatches[BatchT]: ...
    def __getitem__(self, place: int | slice) -> BatchT | PlannedBatches[BatchT]:
        if isinstance(place, slice):
            return PlannedBatches(self._plan[place], self._make)
        return self._make(self._plan[place])
