"""How many threads of a CPU a training uses: as many as make it fastest beside whatever else the machine does."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from lstmdrop.nn.kernel import Kernel
from lstmdrop.task import SumsOneWay

log = logging.getLogger("lstmdrop.training")

TRIAL_SECONDS, TRIAL_STEPS = 1.0, 3
"""For which each number is tried, at least."""

WATCH_SECONDS = 5.0
"""Between two looks at the rate."""

HALVED = 0.5
"""Part of the usual rate below which all numbers are tried again."""

LOOK_AGAIN_SECONDS, LONGEST = 60.0, 960.0
"""After which more threads are tried where fewer were better, as a neighbour may have gone; twice as long each time."""

MOST_SUMMED_BY_ONE = 1 << 15
"""Numbers of one sum; PyTorch lets several threads add up parts of a longer one."""


class Threads:
    """The number of threads that products run on, tried at the start and whenever the rate halves.

    The threads of a product wait for each other at every time step of an LSTM. Where another process has one of their
    cores, two can be slower than one. Each element of oneDNN's products is summed up by one thread, in the same order
    whatever their number, so that it changes no weight (a test holds it).
    """

    def __init__(self, most: int, least: int = 1) -> None:
        self.most = self._chosen = most
        self.numbers = [most >> halvings for halvings in range(most.bit_length()) if most >> halvings >= least]
        self._usual, self._age, self._patience = 0.0, 0.0, LOOK_AGAIN_SECONDS
        self._items, self._seconds, self._steps, self._is_first = 0, 0.0, 0, True
        self._rates: dict[int, float] = {}
        self._begin_trial()

    def note(self, num_items: int, seconds: float) -> None:
        """A step has been made, of so many items in so much time; the next may be made by another number of threads."""
        if len(self.numbers) == 1:
            return
        if self._is_first:  # in which caches are filled
            self._is_first = False
            return
        self._items, self._seconds, self._steps = self._items + num_items, self._seconds + seconds, self._steps + 1
        if self._untried:
            if self._seconds >= TRIAL_SECONDS and self._steps >= TRIAL_STEPS:
                self._end_of_trial()
        elif self._seconds >= WATCH_SECONDS:
            self._look()

    def _begin_trial(self) -> None:
        self._untried = [*self.numbers]
        self._rates.clear()
        self._use(self._untried[0])

    def _end_of_trial(self) -> None:
        self._rates[self._untried.pop(0)] = self._items / self._seconds
        if self._untried:
            self._use(self._untried[0])
            return
        before, best = self._chosen, max(self._rates, key=lambda number: self._rates[number])
        self._patience = min(2 * self._patience, LONGEST) if best == before else LOOK_AGAIN_SECONDS
        self._age, self._usual, self._chosen = 0.0, self._rates[best], best
        self._use(best)
        if best != before:
            measured = ", ".join(f"{rate:,.0f}/s on {number}" for number, rate in self._rates.items())
            log.warning("training goes on with %d of %d threads: %s", best, self.most, measured)

    def _look(self) -> None:
        rate = self._items / self._seconds
        self._age += self._seconds
        if rate < HALVED * self._usual or (self._chosen < self.most and self._age >= self._patience):
            self._begin_trial()
        else:
            self._usual = max(self._usual, rate)
            self._start_counting()

    def _use(self, number: int) -> None:
        torch.set_num_threads(number)
        self._is_first = True
        self._start_counting()

    def _start_counting(self) -> None:
        self._items, self._seconds, self._steps = 0, 0.0, 0


@contextmanager
def threads_for(task: object, device: torch.device, kernels: Collection[Kernel | None]) -> Iterator[Threads]:
    """Those of a training; after it products run on as many as before.

    On a GPU, and where another number of threads may round otherwise, there is nothing to choose.
    """
    before = torch.get_num_threads()
    is_alike = isinstance(task, SumsOneWay) and task.sums_one_way and all(kernel == "onednn" for kernel in kernels)
    is_free = device.type == "cpu" and is_alike
    try:
        yield Threads(before, 1 if is_free else before)
    finally:
        torch.set_num_threads(before)
