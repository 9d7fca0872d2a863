"""Texts cut into parts of about one size, which several processes can read side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from lstmdrop.data.archive import is_packed
from lstmdrop.data.text import BLOCK_BYTES, Part

PART_BYTES = 1 << 24
"""About; small enough that what a process makes of one part is never large, whatever the text is like."""
SEARCHED_AT_ONCE = 1 << 16
LINES = (b"\n",)
"""What may come before a part."""
WORDS = (b"\n", b" ")

Piece = tuple[Part, ...]
"""Parts that are prepared together: one, or several small files."""


def text_parts(path: Path, ends: Sequence[bytes] = LINES) -> list[Part]:
    """The file in parts, each of which ends after one of ``ends``; a packed one can only be read as a whole.

    Raises:
        OSError: it is missing.
    """
    size = path.stat().st_size
    if size < 2 * PART_BYTES or is_packed(path):
        return [Part(path)]
    bounds = [0]
    with path.open("rb") as handle:
        for place in range(PART_BYTES, size - PART_BYTES + 1, PART_BYTES):
            if place > bounds[-1]:
                bound = after_next(handle, place, ends)
                if bound == size:
                    break
                bounds.append(bound)
    return [*(Part(path, *span) for span in pairwise(bounds)), Part(path, bounds[-1])]


def after_next(handle: BinaryIO, place: int, ends: Sequence[bytes]) -> int:
    """The place after the first of ``ends`` from ``place`` on; that of the file's end, if there is none."""
    handle.seek(place)
    while block := handle.read(SEARCHED_AT_ONCE):
        found = [at for end in ends if (at := block.find(end)) >= 0]
        if found:
            return place + min(found) + 1
        place += len(block)
    return place


def pieces_of(parts: Iterable[Part]) -> Iterator[Piece]:
    """The parts in their order, small files that follow each other together."""
    gathered: list[Part] = []
    num_bytes = 0
    for part in parts:
        size = part.path.stat().st_size if part.start == 0 and part.end is None else PART_BYTES
        if gathered and num_bytes + size > PART_BYTES:
            yield tuple(gathered)
            gathered, num_bytes = [], 0
        gathered.append(part)
        num_bytes += size
    if gathered:
        yield tuple(gathered)


def numbered(part: Part) -> Part:
    """The part, its first line with the number that it has in the file; for errors, since the file has to be read."""
    lines, left = 1, part.start
    with part.path.open("rb") as handle:
        while left and (block := handle.read(min(left, BLOCK_BYTES))):
            lines += block.count(b"\n")
            left -= len(block)
    return part._replace(first_line=lines)
