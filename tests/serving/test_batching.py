"""Requests are answered together, none is lost, and what one of them brings spoils no other's answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("fastapi")

from lstmdrop.errors import UsageError
from lstmdrop.serving.batching import Batcher, Batching, BusyError, in_turn


class Doubling:
    """Answers with twice the number, refuses negative ones, and notes what it was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_work = threading.Event()
        self.may_work.set()

    def __call__(self, inputs: Sequence[int], options: Any) -> Sequence[dict[str, int]]:
        self.may_work.wait(10)
        self.batches.append(list(inputs))
        if min(inputs) < 0:
            raise UsageError("a negative number")
        return [{"twice": 2 * number} for number in inputs]


def served(answer: Doubling, how: Batching, use: Any) -> Any:
    async def run() -> Any:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(answer, executor, how)
            task = asyncio.create_task(batcher.run())
            try:
                return await use(batcher)
            finally:
                answer.may_work.set()
                task.cancel()

    return asyncio.run(run())


def gathered(numbers: Sequence[int], options: Any = "") -> Any:
    async def use(batcher: Batcher) -> list[Any]:
        asked: list[Coroutine[Any, Any, Any]] = [batcher.ask(number, options) for number in numbers]
        return await asyncio.gather(*asked, return_exceptions=True)

    return use


def test_all_that_come_at_once_are_answered_in_few_batches_each_its_own() -> None:
    answer = Doubling()
    found = served(answer, Batching(most=32, room=1000), gathered(range(500)))
    assert found == [{"twice": 2 * number} for number in range(500)]
    assert sum(map(len, answer.batches)) == 500
    assert len(answer.batches) == -(-500 // 32)


def test_a_batch_of_one_is_no_batching() -> None:
    answer = Doubling()
    served(answer, Batching(most=1), gathered(range(5)))
    assert [len(batch) for batch in answer.batches] == [1] * 5


def test_one_request_alone_waits_no_longer_than_it_must() -> None:
    async def use(batcher: Batcher) -> float:
        started = asyncio.get_running_loop().time()
        await batcher.ask(1, "")
        return asyncio.get_running_loop().time() - started

    assert served(Doubling(), Batching(seconds=0.01), use) >= 0.01
    assert served(Doubling(), Batching(seconds=0.0), use) < 5.0


def test_those_with_other_options_are_answered_apart() -> None:
    async def use(batcher: Batcher) -> Any:
        return await asyncio.gather(*(batcher.ask(number, number % 2) for number in range(10)))

    answer = Doubling()
    assert served(answer, Batching(), use) == [{"twice": 2 * number} for number in range(10)]
    assert answer.batches == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


def test_what_one_request_brings_spoils_no_other() -> None:
    found = served(Doubling(), Batching(), gathered([1, -2, 3]))
    assert (found[0], found[2]) == ({"twice": 2}, {"twice": 6})
    assert isinstance(found[1], UsageError)


def test_who_finds_the_queue_full_is_told_at_once() -> None:
    found = served(Doubling(), Batching(room=3), gathered(range(5)))
    assert [type(one) for one in found] == [dict, dict, dict, BusyError, BusyError]


def test_who_has_gone_is_not_worked_for() -> None:
    answer = Doubling()
    answer.may_work.clear()

    async def use(batcher: Batcher) -> Any:
        first = asyncio.create_task(batcher.ask(1, ""))
        await asyncio.sleep(0.05)  # it is being worked on
        gone, stays = asyncio.create_task(batcher.ask(2, "")), asyncio.create_task(batcher.ask(3, ""))
        await asyncio.sleep(0)
        gone.cancel()
        answer.may_work.set()
        return await first, await stays

    assert served(answer, Batching(seconds=0.0), use) == ({"twice": 2}, {"twice": 6})
    assert answer.batches == [[1], [3]]


def test_streams_take_turns() -> None:
    said: list[str] = []

    def speak(name: str) -> Any:
        for number in range(3):
            said.append(name)
            yield number

    async def listen(executor: ThreadPoolExecutor, name: str) -> list[int]:
        return [bit async for bit in in_turn(executor, lambda: speak(name))]

    async def run() -> Any:
        with ThreadPoolExecutor(1) as executor:
            return await asyncio.gather(listen(executor, "a"), listen(executor, "b"))

    assert asyncio.run(run()) == [[0, 1, 2], [0, 1, 2]]
    assert said == ["a", "b"] * 3
