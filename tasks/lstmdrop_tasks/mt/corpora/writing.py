"""Pairs onto disk: all of them, or each only once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress, islice
from pathlib import Path
from typing import BinaryIO

from lstmdrop_tasks.mt.corpora.duplicates import Mask, first_occurrences, pair_hashes
from lstmdrop_tasks.mt.corpora.parallel import BLOCK_LINES, PairBlock, PairBlocks, ParallelText


def write_pairs(blocks: Iterable[PairBlock], text: ParallelText) -> int:
    """Write the two files of a text; returns the number of pairs."""
    num_pairs = 0
    with text.source.open("wb") as source, text.target.open("wb") as target:
        for block in blocks:
            for handle, lines in ((source, block.sources), (target, block.targets)):
                handle.write("\n".join([*lines, ""]).encode())
            num_pairs += len(block.sources)
    return num_pairs


def write_different_pairs(blocks: Iterable[PairBlock], text: ParallelText) -> tuple[int, int]:
    """As `write_pairs`, of equal pairs only the first; returns how many were written and how many left out.

    Takes constant memory, and on disk, while it works, once more the size of the text with its duplicates.
    """
    hashes = text.source.with_name("hashes")
    repeating = ParallelText(*(path.with_name(f"{path.name}.repeating") for path in (text.source, text.target)))
    with hashes.open("wb") as handle:
        num_pairs = write_pairs(_noting_hashes(blocks, handle), repeating)
    first = first_occurrences(hashes)
    hashes.unlink()
    _move_lines(repeating.source, text.source, first)
    _move_lines(repeating.target, text.target, first)
    num_different = int(first.sum())
    return num_different, num_pairs - num_different


def _noting_hashes(blocks: Iterable[PairBlock], handle: BinaryIO) -> PairBlocks:
    for block in blocks:
        handle.write(pair_hashes(block))
        yield block


def _move_lines(origin: Path, target: Path, keep: Mask) -> None:
    with origin.open("rb") as lines, target.open("wb") as handle:
        for start in range(0, len(keep), BLOCK_LINES):
            chosen = keep[start : start + BLOCK_LINES].tolist()
            handle.writelines(compress(islice(lines, BLOCK_LINES), chosen))
    origin.unlink()
