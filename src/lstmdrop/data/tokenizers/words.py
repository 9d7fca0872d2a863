"""Words and characters as tokens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.counting import count_words
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary, count_vocabulary, required_words
from lstmdrop.errors import DataError
from lstmdrop.parsing import to_json


class EncodedBlock(NamedTuple):
    """The ids of a block of text, and how many of them stand for something the vocabulary lacks."""

    ids: npt.NDArray[np.int32]
    num_unknown: int


DESCRIPTION = "tokenizer.json"
VOCABULARY = "vocabulary.json"


def write_description(directory: Path, kind: str, fingerprint: str) -> None:
    """Say which kind of tokeniser the folder holds; written last, it also says that the rest is whole."""
    text = to_json({"kind": kind, "fingerprint": fingerprint}, indent=2)
    with atomic_file(directory / DESCRIPTION) as handle:
        handle.write(text.encode() + b"\n")


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
        counts = count_words(text, _split, _cut, "word", min_count, max_size)
        if not counts.keys() - {EOS}:
            raise DataError(f"{text}: there is no word in this text, only blank lines")
        return cls(required_words(count_vocabulary(counts, min_count=min_count, max_size=max_size), text, min_count))

    def encode(self, line: str) -> list[int]:
        """The ids of the line's words."""
        return [self.vocabulary.ids.get(word, self.unk) for word in line.split()]

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where each word begins and ends in the line."""
        return [match.span() for match in re.finditer(r"\S+", line)]

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


NUM_CODE_POINTS = 0x110000


class CharacterTokenizer:
    """Cuts between all characters; one that the vocabulary lacks becomes ``<unk>``."""

    kind: Literal["character"] = "character"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.eos = vocabulary.eos
        self.unk = vocabulary.unk
        self.fingerprint = hashlib.sha256(f"character {vocabulary.sha256}".encode()).hexdigest()

    @classmethod
    def train(cls, text: Path, *, min_count: int = 1, max_size: int | None = None) -> CharacterTokenizer:
        """Count the characters of a text; see `count_vocabulary` for what is kept.

        Raises:
            DataError: the text is missing, empty, blank or not UTF-8.
        """
        counts = count_words(text, iter, len, "character")
        counts[EOS] = counts.pop("\n")
        if not any(not token.isspace() for token in counts.keys() - {EOS}):
            raise DataError(f"{text}: there is no character in this text, only blank lines")
        return cls(required_words(count_vocabulary(counts, min_count=min_count, max_size=max_size), text, min_count))

    def encode(self, line: str) -> list[int]:
        """The ids of the line's characters."""
        return [self.vocabulary.ids.get(character, self.unk) for character in line]

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Each character by itself."""
        return [(place, place + 1) for place in range(len(line))]

    def decode(self, ids: Sequence[int]) -> str:
        r"""The characters joined; ``<eos>`` becomes ``"\n"``."""
        return "".join("\n" if number == self.eos else self.vocabulary.token_of(number) for number in ids)

    def cut(self, text: str) -> int:
        """Anywhere."""
        return len(text)

    def encode_block(self, text: str) -> EncodedBlock:
        """The ids of many lines at once."""
        ids = self._id_of_code_point[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
        unknown = ids < 0
        ids[unknown] = self.unk
        return EncodedBlock(ids, int(unknown.sum()))

    def save(self, directory: Path) -> None:
        """Write the vocabulary and what kind of tokeniser it belongs to."""
        self.vocabulary.save(directory / VOCABULARY)
        write_description(directory, self.kind, self.fingerprint)

    @cached_property
    def _id_of_code_point(self) -> npt.NDArray[np.int32]:
        table = np.full(NUM_CODE_POINTS, -1, np.int32)
        for token, number in self.vocabulary.ids.items():
            if token not in (EOS, UNK):
                table[ord(token)] = number
        table[ord("\n")] = self.eos
        return table
