"""How long the lines of a scored text are, in tokens, characters, bytes and words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.vocabulary import UNK
from lstmdrop.metrics.text_units import ScoredLines, TextSize, size_of

LOOKED_AT = 1 << 16
"""Characters of a text in which its first token ends."""


def scored_lines(lines: Iterable[str], ids: npt.NDArray[np.integer], tokenizer: Tokenizer) -> ScoredLines:
    """The lines of a text, of which ``ids`` are the tokens, ``<eos>`` after each line.

    Where a text has ``<eos>`` as a word, its tokens cannot be told by line: they all count as the first line's.
    """
    sizes: list[tuple[int, ...]] = []
    for line in lines:
        size = size_of(f"{line}\n")
        if not sizes:
            size = TextSize(*(whole - first for whole, first in zip(size, _first_token(line, tokenizer), strict=True)))
        sizes.append((*size, line.split().count(UNK) if UNK in line else 0))
    ends = np.flatnonzero(ids == tokenizer.eos)
    if len(ends) != len(sizes):
        ends = np.full(len(sizes), len(ids) - 1)
    tokens = np.diff(ends, prepend=0).astype(np.int64)  # the first token is not among them
    return ScoredLines(tokens, *np.array(sizes, np.int64).T)


def _first_token(line: str, tokenizer: Tokenizer) -> TextSize:
    """The size of what nothing predicts: the first token and the blanks before it, or a blank first line."""
    head = line[:LOOKED_AT]
    spans = tokenizer.spans(head)
    covered = head[: spans[0][1]] if spans else f"{line}\n"
    return size_of(covered)._replace(words=1)
