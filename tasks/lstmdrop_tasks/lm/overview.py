"""What is in texts of one's own: what looks wrong, what is not in the training text, and what is in it too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstmdrop.config import SPLITS
from lstmdrop.data.rows import (
    ending_of,
    files_below,
    has_rows,
    matching_files,
    read_rows,
    split_files,
    split_folders,
)
from lstmdrop.data.spelling import Spellings
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.corpora import ENDINGS, LAYOUTS, oddities_of
from lstmdrop_tasks.lm.plain import COLUMN, Written

OF_OTHER_TASKS = re.compile(
    r"audio|wav|sound|path|file|feature|duration|speaker|image|caption|translation|source|target"
)
"""Columns of rows that hold more than text."""
SHORT = 5
"""Words; lines of fewer come again in any text."""
MANY, FEW = 0.1, 10
MOST_WORDS = 2_000_000
"""Different ones that are remembered of a text; beside one with more it is not said what is not in it."""


def own_oddities(path: Path) -> Iterator[str]:
    """A line about each thing in one's own texts that would be taken otherwise than was meant, or comes again."""
    texts = own_texts(path)
    spellings = Spellings()
    for written in texts.values():
        yield from oddities_of(written.placed_lines(), spellings)
    trained: _Lines | None = None
    for name, written in texts.items():
        lines = _Lines(written)
        again = lines.num_again
        if again > MANY * len(lines.hashes) and len(lines.hashes) >= FEW:
            yield (
                f"{name}: {again:,} of {len(lines.hashes):,} lines of {SHORT} words or more came before in it: what "
                "comes again counts again"
            )
        if trained is not None:
            yield f"{name}: {lines.beside(trained)}"
        trained = trained or (lines if len(texts) > 1 else None)


def own_texts(path: Path) -> Mapping[str, Written]:
    """The texts that a path names, that of training first: a file of lines or rows, or those of a folder's splits."""
    splits = (split_files(path, ENDINGS) or split_folders(path, ENDINGS)) if path.is_dir() else {}
    if not splits:
        whole = files_below(path, ENDINGS) if path.is_dir() else matching_files(path)
        text = tuple(file for file in whole if _is_text(file))
        return {str(path): Written(text)} if text else {}
    found = {}
    for split, files in sorted(splits.items(), key=lambda each: SPLITS.index(each[0])):
        plain = [path / layout.format(split) for layout in LAYOUTS if (path / layout.format(split)).is_file()]
        texts = tuple(file for file in plain[:1] or files if _is_text(file))
        if texts:
            found[str(texts[0])] = Written(texts)
    return found


def _is_text(path: Path) -> bool:
    if not has_rows(path):
        return ending_of(path) in ENDINGS and bool(path.stat().st_size)
    try:
        names = [name for row in islice(read_rows(path), 1) for name in row.names]
    except DataError:
        return False
    return COLUMN in names and not any(map(OF_OTHER_TASKS.search, names))


class _Lines:
    """What is remembered of a text: its words, and hashes of its longer lines."""

    def __init__(self, written: Written) -> None:
        self.words: dict[str, int] = {}
        hashes = bytearray()
        for line, _ in written.placed_lines():
            words = line.split()
            for word in words:
                if len(self.words) < MOST_WORDS or word in self.words:
                    self.words[word] = self.words.get(word, 0) + 1
            if len(words) >= SHORT:
                hashes += blake2b(" ".join(words).encode(), digest_size=8).digest()
        self.hashes: npt.NDArray[np.uint64] = np.frombuffer(hashes, np.uint64)

    @property
    def num_again(self) -> int:
        """Lines that have come before."""
        return len(self.hashes) - len(np.unique(self.hashes))

    def beside(self, trained: _Lines) -> str:
        """What is not in the training text, and what is in it too."""
        said = []
        if len(trained.words) < MOST_WORDS:
            unknown = sum(count for word, count in self.words.items() if word not in trained.words)
            said = [f"{unknown / max(1, sum(self.words.values())):.1%} of its words are not in the training text"]
        if seen := int(np.isin(self.hashes, trained.hashes).sum()):
            said.append(
                f"{seen:,} of its {len(self.hashes):,} lines of {SHORT} words or more are in it too: scores on them "
                "are no scores of what is new"
            )
        return "; ".join(said) or "its lines are not in the training text"
