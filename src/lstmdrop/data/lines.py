"""Lines of a text that comes as a stream: out of an archive, or decompressed on the way."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain, islice

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
