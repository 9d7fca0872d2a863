"""Laws of lists of what has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import chain

import pytest

from lstmdrop.data.lines import as_they_come


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_all_come_in_their_order_in_lists_of_at_most_so_many(count: int) -> None:
    for items in (list(range(count)), iter(range(count))):
        batches = list(as_they_come(items, 4))
        assert list(chain.from_iterable(batches)) == list(range(count))
        assert all(0 < len(batch) <= 4 for batch in batches)


def test_what_waits_is_taken_together() -> None:
    batches = as_they_come(iter(range(20)), 4)
    next(batches)
    time.sleep(0.2)
    assert len(next(batches)) == 4


def test_who_stops_listening_leaves_no_thread() -> None:
    before = set(threading.enumerate())  # by identity: a thread of an earlier test may end at any moment
    batches = as_they_come(iter(range(10**9)), 2)
    next(batches)
    readers = set(threading.enumerate()) - before
    assert readers
    batches.close()
    for reader in readers:
        reader.join(30)
    assert not any(reader.is_alive() for reader in readers)


def test_an_error_comes_after_what_came_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    found: list[int] = []
    with pytest.raises(ValueError, match="three"):
        found.extend(chain.from_iterable(as_they_come(items(), 4)))
    assert found == [1, 2]
