"""Items in lists, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import NamedTuple, TypeVar

T = TypeVar("T")

LOOK_AGAIN = 0.5
"""Seconds after which a reader whose items nobody takes looks whether anybody still waits."""


class _End(NamedTuple):
    error: BaseException | None


def as_they_come(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """All items in their order: each list holds what has come by the time it is asked for, one at least.

    So who writes one line and waits is answered, and a file that is piped in comes in lists of ``most``. What ``items``
    raises is raised after the items before it have been handed on. They are read in another thread, not far ahead.
    """
    if isinstance(items, Sequence):
        yield from (list(items[start : start + most]) for start in range(0, len(items), most))
        return
    arrived: Queue[T | _End] = Queue(2 * most)
    abandoned = Event()
    Thread(target=_read, args=(items, arrived, abandoned), daemon=True).start()
    try:
        end = None
        while end is None:
            batch, end = _taken(arrived, most)
            if batch:
                yield batch
    finally:
        abandoned.set()
    if end.error is not None:
        raise end.error


def _taken(arrived: Queue[T | _End], most: int) -> tuple[list[T], _End | None]:
    batch: list[T] = []
    try:
        while len(batch) < most:
            item = arrived.get(block=not batch)
            if isinstance(item, _End):
                return batch, item
            batch.append(item)
    except Empty:
        pass
    return batch, None


def _read(items: Iterable[T], arrived: Queue[T | _End], abandoned: Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not _put(item, arrived, abandoned):
                return
    except BaseException as raised:
        error = raised
    _put(_End(error), arrived, abandoned)


def _put(item: T | _End, arrived: Queue[T | _End], abandoned: Event) -> bool:
    while not abandoned.is_set():
        try:
            arrived.put(item, timeout=LOOK_AGAIN)
        except Full:
            continue
        return True
    return False
