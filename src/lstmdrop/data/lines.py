"""Lines of a text that comes as a stream: out of an archive, decompressed on the way, or as somebody writes them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import NamedTuple, TypeVar

from lstmdrop.data.text import not_utf8

LINES_AT_ONCE = 4096
"""Lines decoded together: enough to be several times as fast as one by one, few enough to stay in a few MiB."""

REPLACEMENT = "\ufffd"
"""What stands for bytes that are no UTF-8."""


def stream_lines(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield the lines of a stream as `lstmdrop.data.text.read_lines` does; ``name`` is what errors call it.

    Raises:
        DataError: a line is not UTF-8; the lines before it have been yielded.
    """
    first = 1
    for raw in _blocks(stream):
        try:
            lines = _lines(b"".join(raw).decode())
        except UnicodeDecodeError:
            yield from _one_by_one(raw, name, first)
        else:
            yield from lines
        first += len(raw)


def stream_lines_mended(stream: Iterable[bytes]) -> Iterator[str]:
    """As `stream_lines`, with `REPLACEMENT` for what is not UTF-8: for texts too large to be mended by hand."""
    for raw in _blocks(stream):
        yield from _lines(b"".join(raw).decode(errors="replace"))


def _blocks(stream: Iterable[bytes]) -> Iterator[list[bytes]]:
    raw_lines = iter(stream)
    first = next(raw_lines, None)
    if first is not None:
        raw_lines = chain([first.removeprefix(codecs.BOM_UTF8)], raw_lines)
    while raw := list(islice(raw_lines, LINES_AT_ONCE)):
        yield raw


def _lines(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _one_by_one(raw: list[bytes], name: str, first: int) -> Iterator[str]:
    for number, line in enumerate(raw, first):
        try:
            yield from _lines(line.decode())
        except UnicodeDecodeError as error:
            raise not_utf8(name, number, error) from None


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
