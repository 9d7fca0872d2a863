"""Which pairs a model is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from lstmdrop_tasks.mt.corpora.duplicates import Mask
from lstmdrop_tasks.mt.corpora.parallel import PairBlock, PairBlocks

Counts = Counter[str]
"""How many pairs were dropped for which reason."""


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What makes a pair unfit; a word is what ASCII white space separates."""

    max_words: int = 250
    """A side has no more words than this."""
    max_ratio: float | None = None
    """The longer side has no more than so many times the words of the other, if it has more than `RATIO_FROM`."""
    drop_duplicates: bool = False
    """Of a pair that comes again and again, only the first stays."""


RATIO_FROM = 10
"""Words up to which a ratio says nothing: "No." may well be four words elsewhere."""


def clean(blocks: Iterable[PairBlock], rules: CleaningRules, counts: Counts) -> PairBlocks:
    """Leave out the unfit pairs, and count each once in ``counts``.

    Duplicates stay: see `lstmdrop_tasks.mt.corpora.duplicates`. Takes constant memory.
    """
    for block in blocks:
        keep = _fit(block, rules, counts)
        if keep.all():
            yield block
        elif keep.any():
            yield select(block, keep)


def select(block: PairBlock, keep: Mask) -> PairBlock:
    """The pairs of a block for which ``keep`` holds."""
    chosen = keep.tolist()
    return PairBlock(list(compress(block.sources, chosen)), list(compress(block.targets, chosen)))


def _fit(block: PairBlock, rules: CleaningRules, counts: Counts) -> Mask:
    num_words = np.array([_num_words(block.sources), _num_words(block.targets)])
    shorter, longer = num_words.min(axis=0), num_words.max(axis=0)
    unfit = {"empty": _blank(block.sources) | _blank(block.targets), "too_long": longer > rules.max_words}
    if rules.max_ratio is not None:
        unfit["ratio"] = (longer > RATIO_FROM) & (longer > rules.max_ratio * shorter)
    keep = np.ones(len(shorter), dtype=np.bool_)
    for reason, pairs in unfit.items():
        counts[reason] += int(np.count_nonzero(keep & pairs))
        keep &= ~pairs
    return keep


def _blank(lines: list[str]) -> Mask:
    return np.array([not line or line.isspace() for line in lines])


def _num_words(lines: list[str]) -> npt.NDArray[np.int64]:
    """Words of each line, all lines at once: a word begins where a space is followed by something else."""
    text = np.frombuffer(("\n" + "\n".join(lines) + "\n").encode(), dtype=np.uint8)
    is_space = text <= ord(" ")
    begins = np.flatnonzero(is_space[:-1] & ~is_space[1:])
    return np.diff(np.searchsorted(begins, np.flatnonzero(text == ord("\n"))))
