"""Plain texts, one line a sentence or paragraph, made in the cache of what is packed, has rows or is to be split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lstmdrop.config import Split
from lstmdrop.data.atomic import atomic_folder, resumable_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.parts import Piece, pieces_of, text_parts
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.rows import SPLIT, has_rows, read_rows, row_parts
from lstmdrop.data.shards import Counts, Shard, make_of_shards
from lstmdrop.data.text import BLOCK_BYTES, Part, content_sha256, read_blocks, read_lines, require_text
from lstmdrop.errors import DataError

COLUMN = "text"
LINES_AT_ONCE = 1024
HELD_OUT = 20
"""One in so many lines or characters is for test, and as many are for validation."""


def split_by_characters(text: Path) -> Path:
    """As `split_by_lines`, of an ASCII text of one line, such as text8: 90, 5 and 5 % of its characters.

    Raises:
        DataError: the text is missing or empty.
    """
    require_text(text)
    folder = cache_dir() / "corpora" / f"characters-{content_sha256(text)[:32]}"
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
                yield from self._lines_of_rows(Part(path))
            else:
                yield from ((line, f"{path}:{number}") for number, line in enumerate(read_lines(path), 1))

    def blocks(self, part: Part) -> Iterator[str]:
        r"""The lines of a part of it, many at once, ``"\n"`` after each.

        Raises:
            DataError: as `placed_lines`.
        """
        if not has_rows(part.path):
            yield from read_blocks(part)
            return
        lines = self._lines_of_rows(part)
        while some := [line for line, _ in islice(lines, LINES_AT_ONCE)]:
            yield "".join(f"{line}\n" for line in some)

    def pieces(self) -> list[Piece]:
        """What of it is read by one process at a time."""
        return list(
            pieces_of(part for path in self.files for part in (row_parts if has_rows(path) else text_parts)(path))
        )

    @property
    def identity(self) -> str:
        """It stands for the content, and for how it is read."""
        kinds = " ".join("rows" if has_rows(path) else "lines" for path in self.files)
        chosen = f"{remembered_sha256(*self.files)} {self.column} {self.split} {kinds}"
        return hashlib.sha256(chosen.encode()).hexdigest()[:32]

    def _lines_of_rows(self, part: Part) -> Iterator[tuple[str, str]]:
        column = self.column or COLUMN
        for row in read_rows(part, columns=(column, SPLIT)):
            if self.split in (None, row.split):
                text = row.text(column, "name the one with the text: --column NAME")
                yield from ((line, row.place) for line in _lines(text))


def _lines(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def plain_text(written: Written) -> Path:
    """The text in one plain file, made once in the cache, by several processes if it is large.

    Raises:
        DataError: as `Written.placed_lines`, or no row belongs to the split.
    """

    def plan(shards: Sequence[Shard]) -> Mapping[str, int]:
        num_bytes = sum(shard.num_bytes for shard in shards)
        if not num_bytes:
            raise DataError(f"{written.files[0]}: no row says split: {written.split} (or another name of it)")
        return {"text.txt": num_bytes}

    return _made(written, "plain", plan) / "text.txt"


def split_by_lines(written: Written) -> Path:
    """The folder with ``train.txt``, ``valid.txt`` and ``test.txt``, the last 5 % of the lines the test.

    Raises:
        DataError: as `Written.placed_lines`, or there are fewer than three lines.
    """

    def plan(shards: Sequence[Shard]) -> Mapping[str, int]:
        num_lines = sum(shard.counts["lines"] for shard in shards)
        if num_lines < 3:
            raise DataError(f"{written.files[0]}: a text of {num_lines} line(s) cannot be split in three")
        held_out = max(1, num_lines // HELD_OUT)
        train, both, whole = (_bytes_of(shards, num_lines - lines) for lines in (2 * held_out, held_out, 0))
        return {"train.txt": train, "valid.txt": both - train, "test.txt": whole - both}

    return _made(written, "lines", plan)


def _made(written: Written, kind: str, plan: Callable[[Sequence[Shard]], Mapping[str, int]]) -> Path:
    folder = cache_dir() / "corpora" / f"{kind}-{written.identity}"
    if not folder.is_dir():
        with resumable_folder(folder) as unfinished:
            if unfinished is not None:
                what = f"reading {written.files[0].name}" + (" and others" if len(written.files) > 1 else "")
                make_of_shards(unfinished, written.pieces(), _write, written, plan, what)
    return folder


def _write(written: Written, piece: Piece, shard: BinaryIO) -> Counts:
    num_lines = 0
    for part in piece:
        for block in written.blocks(part):
            shard.write(block.encode())
            num_lines += block.count("\n")
    return {"lines": num_lines}


def _bytes_of(shards: Sequence[Shard], num_lines: int) -> int:
    """How many bytes the first lines of all have."""
    num_bytes = 0
    for shard in shards:
        if num_lines < shard.counts["lines"]:
            with shard.path.open("rb") as lines:
                return num_bytes + sum(len(line) for line in islice(lines, num_lines))
        num_lines -= shard.counts["lines"]
        num_bytes += shard.num_bytes
    return num_bytes
