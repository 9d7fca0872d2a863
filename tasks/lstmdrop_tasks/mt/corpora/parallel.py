"""Parallel texts: sentences and their translations, in files and in blocks of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.mt.corpora.side import Side

BLOCK_LINES = 8192
"""Pairs handled together: a few MiB of text."""

Report = Mapping[str, Mapping[str, str | int | float | None]]


@dataclass(frozen=True, slots=True)
class ParallelText:
    """Two aligned texts, one sentence a line: line N of one translates line N of the other."""

    source: Path
    target: Path


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
    """Some pairs in a row: two lists of the same length."""

    sources: list[str]
    targets: list[str]


PairBlocks = Iterator[PairBlock]


def aligned(source: Side, target: Side) -> PairBlocks:
    """Line N of one side with line N of the other.

    Raises:
        DataError: a side is missing or not UTF-8, or has more lines than the other.
    """
    sources, targets = source.lines(), target.lines()
    num_pairs = 0
    while True:
        block = PairBlock(list(islice(sources, BLOCK_LINES)), list(islice(targets, BLOCK_LINES)))
        num_sources, num_targets = map(len, block)
        if num_sources != num_targets:
            num_sources += num_pairs + sum(1 for _ in sources)
            num_targets += num_pairs + sum(1 for _ in targets)
            raise _misaligned((source, num_sources), (target, num_targets))
        if num_sources == 0:
            return
        num_pairs += num_sources
        yield block


def in_blocks(pairs: Iterator[tuple[str, str]]) -> PairBlocks:
    """Single pairs gathered into blocks."""
    while block := list(islice(pairs, BLOCK_LINES)):
        yield PairBlock([source for source, _ in block], [target for _, target in block])


def _reasons(counts: Mapping[str, str | int | float | None]) -> str:
    dropped = {reason.replace("_", " "): count for reason, count in counts.items() if reason not in ("read", "kept")}
    return ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)


def _misaligned(*sides: tuple[Side, int]) -> DataError:
    (shorter, end), (longer, num_lines) = sorted(sides, key=lambda side: side[1])
    return DataError(
        f"{shorter.name}:{end}: this is the last line, and {longer.name} has {num_lines:,}\n"
        "line N of one side must translate line N of the other"
    )
