"""A part of a text that stands for all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lstmdrop.data.archive import is_packed
from lstmdrop.data.parts import WORDS, after_next
from lstmdrop.data.text import require_file
from lstmdrop.errors import DataError

MEGABYTE = 1_000_000
STRETCH = 1 << 18
"""Bytes of text in one go: many lines, so that few are cut, and many stretches, so that all of a text is in them."""


@contextmanager
def sampled(text: Path, megabytes: float | None) -> Iterator[Path]:
    """A text of about so many megabytes for the time of the block: stretches spread evenly over ``text``.

    They begin and end with whole words. It is ``text`` itself where that is no larger, or nothing is said. The same
    text gives the same sample.

    Raises:
        DataError: the text is missing, or packed.
    """
    require_file(text)
    size = text.stat().st_size
    if megabytes is None or megabytes * MEGABYTE >= size:
        yield text
        return
    if is_packed(text):
        raise DataError(f"{text} is packed, so that only all of it can be learnt from: leave data.vocabulary_mb out")
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / text.name
        _write(text, size, sample, int(megabytes * MEGABYTE))
        yield sample


def _write(text: Path, size: int, sample: Path, num_bytes: int) -> None:
    num_stretches = -(-num_bytes // STRETCH)
    end = 0
    with text.open("rb") as whole, sample.open("wb") as part:
        for number in range(num_stretches):
            place = number * size // num_stretches
            start = max(end, after_next(whole, place, WORDS) if place else 0)
            end = after_next(whole, min(size, start + num_bytes // num_stretches), WORDS)
            whole.seek(start)
            stretch = whole.read(end - start)
            part.write(stretch if stretch.endswith(b"\n") else stretch + b"\n")
