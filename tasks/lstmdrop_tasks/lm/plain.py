"""Plain texts, one line a sentence or paragraph, made in the cache of what is packed, has rows or is to be split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.rows import has_rows, read_rows
from lstmdrop.data.text import BLOCK_BYTES, content_sha256, read_lines, require_text
from lstmdrop.errors import DataError

COLUMN = "text"
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


@dataclass(frozen=True, slots=True)
class Written:
    """A text in files one after the other, packed or not, each of lines or of rows."""

    files: tuple[Path, ...]
    column: str | None = None
    """Of rows, that with the text; None: nobody chose, and it is `COLUMN`."""
    split: Split | None = None
    """If not all rows belong to it, the split whose rows do."""

    def placed_lines(self) -> Iterator[tuple[str, str]]:
        """The lines of the text, each with its place (``file:line``); a row may have several.

        Raises:
            DataError: a file is missing, empty or damaged, or a row has no such column.
        """
        for path in self.files:
            if has_rows(path):
                for row in read_rows(path):
                    if self.split in (None, row.split):
                        text = row.text(self.column or COLUMN, "name the one with the text: --column NAME")
                        yield from ((line, row.place) for line in _lines(text))
            else:
                yield from ((line, f"{path}:{number}") for number, line in enumerate(read_lines(path), 1))


def _lines(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def plain_text(written: Written) -> Path:
    """The text in one plain file, made once in the cache.

    Raises:
        DataError: as `Written.placed_lines`, or no row belongs to the split.
    """
    chosen = f"{remembered_sha256(*written.files)} {written.column} {written.split}"
    kinds = " ".join("rows" if has_rows(path) else "lines" for path in written.files)
    folder = cache_dir() / "corpora" / f"plain-{hashlib.sha256(f'{chosen} {kinds}'.encode()).hexdigest()[:32]}"
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            _write_lines(unfinished / "text.txt", (line for line, _ in written.placed_lines()))
            if not (unfinished / "text.txt").stat().st_size:
                raise DataError(f"{written.files[0]}: no row says split: {written.split} (or another name of it)")
    return folder / "text.txt"


def _cached(text: Path, unit: str) -> Path:
    return cache_dir() / "corpora" / f"{unit}-{content_sha256(text)[:32]}"


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(f"{line}\n" for line in lines)
