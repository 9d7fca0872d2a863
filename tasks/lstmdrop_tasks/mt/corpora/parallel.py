"""Parallel texts: sentences and their translations, in files and in blocks of lines."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice, zip_longest
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from lstmdrop.config import Split
from lstmdrop.data.archive import open_member
from lstmdrop.data.lines import stream_lines, stream_lines_mended
from lstmdrop.data.text import BLOCK_BYTES, read_lines
from lstmdrop.errors import DataError


@dataclass(frozen=True, slots=True)
class Side:
    """Lines that can be read again and again."""

    name: str
    """What errors call it: a path, or an archive's path and the member's."""
    lines: Callable[[], Iterator[str]]


def plain_side(path: Path) -> Side:
    """The lines of a text file, packed or not."""
    return Side(str(path), lambda: read_lines(path))


def member_side(archive: Path, member: str) -> Side:
    """The lines of an archive's member; of one that ends in ``.gz``, after decompression."""
    return _member_side(archive, member, stream_lines)


def mended_member_side(archive: Path, member: str) -> Side:
    """As `member_side`, but what is not UTF-8 becomes U+FFFD."""
    return _member_side(archive, member, lambda stream, _: stream_lines_mended(stream))


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


BLOCK_LINES = 8192
"""Pairs handled together: a few MiB of text."""

Report = Mapping[str, Mapping[str, str | int | float | None]]


@dataclass(frozen=True, slots=True)
class ParallelText:
    """Aligned texts, one sentence a line: line N of one translates line N of the other."""

    source: Path
    target: Path
    more: tuple[Path, ...] = ()
    """Further translations; a line is blank where there is none."""

    def references(self) -> list[list[str]]:
        """The translations of each sentence: that of ``target``, and what ``more`` has beside it."""
        sides = [list(read_lines(path)) for path in (self.target, *self.more)]
        return [[first, *filter(None, others)] for first, *others in zip(*sides, strict=True)]


@dataclass(frozen=True, slots=True)
class ParallelCorpus:
    """A parallel text in its three splits."""

    name: str
    source_language: str
    target_language: str
    train: ParallelText
    """Cleaned: no side of a pair is empty."""
    valid: ParallelText
    """As published; a line may be empty."""
    test: ParallelText
    report: Report
    """Under each split's name how many pairs were read, kept and dropped for which reason; under ``settings``, how
    it was split and cleaned."""

    def text(self, split: Split) -> ParallelText:
        """The two files of a split."""
        texts: dict[Split, ParallelText] = {"train": self.train, "valid": self.valid, "test": self.test}
        return texts[split]

    @property
    def split(self) -> str:
        """In words, how the pairs were dealt out."""
        return str(self.report["settings"]["split"])

    @property
    def dropped(self) -> str:
        """In words, how many pairs of which split were left out for which reason."""
        reasons = {split: _reasons(counts) for split, counts in self.report.items() if split != "settings"}
        return "; ".join(f"{split}: {text}" for split, text in reasons.items() if text) or "no pair"


class PairBlock(NamedTuple):
    """Some pairs in a row: lists of the same length."""

    sources: list[str]
    targets: list[str]
    more: tuple[list[str], ...] = ()
    """Further translations of the sources; blank where there is none."""


PairBlocks = Iterator[PairBlock]


def aligned(source: Side, *targets: Side) -> PairBlocks:
    """Line N of one side with line N of the others.

    Raises:
        DataError: a side is missing or not UTF-8, or has more lines than another.
    """
    sides = (source, *targets)
    streams = [side.lines() for side in sides]
    num_pairs = 0
    while True:
        block = [list(islice(stream, BLOCK_LINES)) for stream in streams]
        if len(set(map(len, block))) > 1:
            totals = [
                num_pairs + len(lines) + sum(1 for _ in stream) for lines, stream in zip(block, streams, strict=True)
            ]
            ends = list(zip(sides, totals, strict=True))
            raise _misaligned(ends[0], next(end for end in ends if end[1] != totals[0]))
        if not block[0]:
            return
        num_pairs += len(block[0])
        yield PairBlock(block[0], block[1], tuple(block[2:]))


def in_blocks(pairs: Iterator[tuple[str, ...]]) -> PairBlocks:
    """Single sentences, each with its translation or more, gathered into blocks."""
    while block := list(islice(pairs, BLOCK_LINES)):
        sources, targets, *more = (list(column) for column in zip_longest(*block, fillvalue=""))
        yield PairBlock(sources, targets, tuple(more))


def _reasons(counts: Mapping[str, str | int | float | None]) -> str:
    dropped = {reason.replace("_", " "): count for reason, count in counts.items() if reason not in ("read", "kept")}
    return ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)


def _misaligned(*sides: tuple[Side, int]) -> DataError:
    (shorter, end), (longer, num_lines) = sorted(sides, key=lambda side: side[1])
    return DataError(
        f"{shorter.name}:{end}: this is the last line, and {longer.name} has {num_lines:,}\n"
        "line N of one side must translate line N of the other"
    )


Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

HASH_BYTES = 8
"""Of 40 million pairs, two different ones share 64 bits with a probability of about 1 in 20,000."""

BUCKET_SIZE = 1 << 21
"""Hashes sorted together, about: some 100 MiB at once."""


def pair_hashes(block: PairBlock) -> bytes:
    """The hashes of a block's pairs, eight bytes each, one after the other."""
    pairs = [f"{source}\n{target}".encode() for source, target in zip(*block[:2], strict=True)]
    return b"".join([blake2b(pair, digest_size=HASH_BYTES).digest() for pair in pairs])


def first_occurrences(hashes: Path, bucket_size: int = BUCKET_SIZE) -> Mask:
    """For each hash of a file, whether none before it is equal.

    The hashes are looked through in buckets that equal hashes share, one bucket after the other: beside one bit
    of answer a hash (kept as a byte), memory holds about ``bucket_size`` of them.
    """
    num_hashes = hashes.stat().st_size // HASH_BYTES
    num_buckets = -(-num_hashes // bucket_size)
    first = np.zeros(num_hashes, dtype=np.bool_)
    for bucket in range(num_buckets):
        values, places = _bucket(hashes, bucket, num_buckets, bucket_size)
        first[places[np.unique(values, return_index=True)[1]]] = True
    return first


def _bucket(path: Path, bucket: int, num_buckets: int, chunk_size: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    values, places, start = [], [], 0
    with path.open("rb") as handle:
        while len(chunk := np.fromfile(handle, dtype="<u8", count=chunk_size)):
            inside = np.flatnonzero(chunk % np.uint64(num_buckets) == bucket)
            values.append(chunk[inside])
            places.append(inside + start)
            start += len(chunk)
    return np.concatenate(values), np.concatenate(places)
