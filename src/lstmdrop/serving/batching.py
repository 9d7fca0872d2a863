"""Requests that come at nearly the same time are answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from lstmdrop.service import Answer, Output

T = TypeVar("T")


class BusyError(Exception):
    """The queue is full: come again."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How requests wait for each other."""

    seconds: float = 0.01
    """A request waits no longer than this for others, unless the model is busy."""
    most: int = 32
    """Requests that are answered at once; 1 is no batching at all."""
    room: int = 256
    """Requests that may wait; those above are refused."""


@dataclass(slots=True)
class _Waiting:
    given: Any
    options: Any
    since: float
    answered: asyncio.Future[Output]


@dataclass
class Batcher:
    """The queue before one service of a model; the model itself works in ``executor``, one batch at a time."""

    answer: Answer
    executor: Executor
    how: Batching
    num_batches: int = 0
    _queue: deque[_Waiting] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, given: Any, options: Any) -> Output:
        """The output for one request.

        Raises:
            BusyError: too many wait already.
            LstmdropError: the model cannot work on it.
        """
        if len(self._queue) >= self.how.room:
            raise BusyError
        loop = asyncio.get_running_loop()
        one = _Waiting(given, options, loop.time(), loop.create_future())
        self._queue.append(one)
        self._arrived.set()
        return await one.answered

    async def run(self) -> None:
        """Answer whoever waits, until this is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if len(self._queue) < self.how.most:
                await asyncio.sleep(max(0.0, self._queue[0].since + self.how.seconds - loop.time()))
            batch = self._next_batch()
            if not self._queue:
                self._arrived.clear()
            if batch:
                self.num_batches += 1
                outputs = await loop.run_in_executor(self.executor, self._answered, batch)
                _hand_out(batch, outputs)

    def _next_batch(self) -> list[_Waiting]:
        """The first who waits and those with the same options, in their order; who has gone is left out."""
        waiting = [one for one in self._queue if not one.answered.done()]
        batch = [one for one in waiting if one.options == waiting[0].options][: self.how.most]
        taken = set(map(id, batch))
        self._queue = deque(one for one in waiting if id(one) not in taken)
        return batch

    def _answered(self, batch: Sequence[_Waiting]) -> list[Output | Exception]:
        """Each one's output or its own error: what one of them brings spoils no other's."""
        try:
            return list(self.answer([one.given for one in batch], batch[0].options))
        except Exception as error:
            if len(batch) == 1:
                return [error]
        return [output for one in batch for output in self._answered([one])]


def _hand_out(batch: Sequence[_Waiting], outputs: Sequence[Output | Exception]) -> None:
    for one, output in zip(batch, outputs, strict=True):
        if one.answered.done():  # they have gone
            continue
        if isinstance(output, Exception):
            one.answered.set_exception(output)
        else:
            one.answered.set_result(output)


async def in_turn(executor: Executor, make: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """What a model makes bit by bit, each bit in the queue of ``executor``, so that no stream keeps others waiting."""
    loop, end = asyncio.get_running_loop(), object()
    bits = await loop.run_in_executor(executor, make)
    while (bit := await loop.run_in_executor(executor, next, bits, end)) is not end:
        yield cast(T, bit)
