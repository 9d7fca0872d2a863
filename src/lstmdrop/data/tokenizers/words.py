"""Words: what stands between white space."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np

from lstmdrop.data.text import read_blocks
from lstmdrop.data.tokenizers.block import EncodedBlock
from lstmdrop.data.tokenizers.folder import VOCABULARY, write_description
from lstmdrop.data.vocabulary import EOS, Vocabulary, count_vocabulary, required_words
from lstmdrop.errors import DataError


class WordTokenizer:
    """Cuts at white space; a word that the vocabulary lacks becomes ``<unk>``."""

    kind: Literal["word"] = "word"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.eos = vocabulary.eos
        self.unk = vocabulary.unk
        self.fingerprint = hashlib.sha256(f"word {vocabulary.sha256}".encode()).hexdigest()

    @classmethod
    def train(cls, text: Path, *, min_count: int = 1, max_size: int | None = None) -> WordTokenizer:
        """Count the words of a text; see `count_vocabulary` for what is kept.

        Raises:
            DataError: the text is missing, empty, blank or not UTF-8.
        """
        counts: Counter[str] = Counter()
        for block in read_blocks(text, _cut):
            counts.update(_split(block))
        if not counts.keys() - {EOS}:
            raise DataError(f"{text}: there is no word in this text, only blank lines")
        return cls(required_words(count_vocabulary(counts, min_count=min_count, max_size=max_size), text, min_count))

    def encode(self, line: str) -> list[int]:
        """The ids of the line's words."""
        return [self.vocabulary.ids.get(word, self.unk) for word in line.split()]

    def decode(self, ids: Sequence[int]) -> str:
        r"""The words joined by spaces; ``<eos>`` becomes ``"\n"``."""
        text = " ".join("\n" if number == self.eos else self.vocabulary.token_of(number) for number in ids)
        return text.replace(" \n", "\n").replace("\n ", "\n")

    def cut(self, text: str) -> int:
        """Just after the last white space."""
        return _cut(text)

    def encode_block(self, text: str) -> EncodedBlock:
        """The ids of many lines at once."""
        words = _split(text)
        ids = np.fromiter(map(self.vocabulary.ids.get, words, repeat(-1)), np.int32, len(words))
        unknown = ids < 0
        ids[unknown] = self.unk
        return EncodedBlock(ids, int(unknown.sum()))

    def save(self, directory: Path) -> None:
        """Write the vocabulary and what kind of tokeniser it belongs to."""
        self.vocabulary.save(directory / VOCABULARY)
        write_description(directory, self.kind, self.fingerprint)


def _split(text: str) -> list[str]:
    return text.replace("\n", f" {EOS} ").split()


def _cut(text: str) -> int:
    return max(text.rfind(space) for space in " \n\t") + 1
