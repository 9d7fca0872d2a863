"""One side of a parallel text: lines out of a file, a compressed file or an archive."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from xml.sax.saxutils import unescape

from lstmdrop.data.archive import DAMAGE, damaged, open_member
from lstmdrop.data.lines import stream_lines, stream_lines_mended
from lstmdrop.data.text import BLOCK_BYTES, read_lines

SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg>", re.DOTALL | re.IGNORECASE)
ENTITIES = {"&quot;": '"', "&apos;": "'"}
"""Beside ``&amp;``, ``&lt;`` and ``&gt;``."""


@dataclass(frozen=True, slots=True)
class Side:
    """Lines that can be read again and again."""

    name: str
    """What errors call it: a path, or an archive's path and the member's."""
    lines: Callable[[], Iterator[str]]


def plain_side(path: Path) -> Side:
    """The lines of a text file."""
    return Side(str(path), lambda: read_lines(path))


def gzip_side(path: Path) -> Side:
    """The lines of a gzip-compressed text."""

    def lines() -> Iterator[str]:
        try:
            with gzip.open(path, "rb") as stream:
                yield from stream_lines(_buffered(stream), str(path))
        except DAMAGE as error:
            raise damaged(path, error) from None

    return Side(str(path), lines)


def member_side(archive: Path, member: str) -> Side:
    """The lines of an archive's member; of one that ends in ``.gz``, after decompression."""
    return _member_side(archive, member, stream_lines)


def mended_member_side(archive: Path, member: str) -> Side:
    """As `member_side`, but what is not UTF-8 becomes U+FFFD."""
    return _member_side(archive, member, lambda stream, _: stream_lines_mended(stream))


def segments(side: Side) -> Side:
    """What stands in the ``<seg>`` elements of a side in NIST's markup (``.sgm``, IWSLT's ``.xml``).

    A segment becomes one line, its white space single spaces, its five named entities the characters meant.
    """

    def lines() -> Iterator[str]:
        for segment in SEGMENT.findall("\n".join(side.lines())):
            yield " ".join(unescape(segment, ENTITIES).split())

    return Side(side.name, lines)


def _member_side(archive: Path, member: str, read: Callable[[IO[bytes], str], Iterator[str]]) -> Side:
    name = f"{archive}:{member}"

    def lines() -> Iterator[str]:
        with open_member(archive, member) as content, _decompressed(content, member) as stream:
            yield from read(_buffered(stream), name)

    return Side(name, lines)


def _decompressed(content: IO[bytes], member: str) -> AbstractContextManager[object]:
    return gzip.open(content, "rb") if member.endswith(".gz") else nullcontext(content)


def _buffered(stream: object) -> IO[bytes]:
    # Lines are cut in C then: gzip and tar streams do it in Python, several times as slowly.
    return io.BufferedReader(cast(io.RawIOBase, stream), BLOCK_BYTES)
