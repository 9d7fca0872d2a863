"""One text cut into train, valid and test, without shuffling; made once, in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.text import BLOCK_BYTES, content_sha256, read_lines, require_text
from lstmdrop.errors import DataError

HELD_OUT = 20
"""One in so many lines or characters is for test, and as many are for validation."""


def split_by_lines(text: Path) -> Path:
    """The folder with ``train.txt``, ``valid.txt`` and ``test.txt``, the last 5 % of the lines the test.

    Raises:
        DataError: the text is missing, empty, not UTF-8 or of fewer than three lines.
    """
    folder = _cached(text, "lines")
    if not folder.is_dir():
        num_lines = sum(1 for _ in read_lines(text))
        if num_lines < 3:
            raise DataError(f"{text}: a text of {num_lines} line(s) cannot be split in three")
        held_out = max(1, num_lines // HELD_OUT)
        lines = read_lines(text)
        with atomic_folder(folder) as unfinished:
            _write_lines(unfinished / "train.txt", islice(lines, num_lines - 2 * held_out))
            _write_lines(unfinished / "valid.txt", islice(lines, held_out))
            _write_lines(unfinished / "test.txt", lines)
    return folder


def split_by_characters(text: Path) -> Path:
    """As `split_by_lines`, for an ASCII text of one line, such as text8: 90, 5 and 5 % of its characters.

    Raises:
        DataError: the text is missing or empty.
    """
    require_text(text)
    folder = _cached(text, "characters")
    if not folder.is_dir():
        size = text.stat().st_size
        held_out = size // HELD_OUT
        with text.open("rb") as handle, atomic_folder(folder) as unfinished:
            for split, length in (("train", size - 2 * held_out), ("valid", held_out), ("test", held_out)):
                with (unfinished / f"{split}.txt").open("wb") as part:
                    while length:
                        length -= part.write(handle.read(min(length, BLOCK_BYTES)))
    return folder


def _cached(text: Path, unit: str) -> Path:
    return cache_dir() / "corpora" / f"{unit}-{content_sha256(text)[:32]}"


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(f"{line}\n" for line in lines)
