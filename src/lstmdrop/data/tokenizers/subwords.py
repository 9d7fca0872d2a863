"""Subwords: SentencePiece's byte-pair encoding and unigram models."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from sentencepiece import SentencePieceProcessor

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.tokenizers.block import EncodedBlock
from lstmdrop.data.tokenizers.folder import write_description
from lstmdrop.data.tokenizers.subword_training import train_model
from lstmdrop.data.vocabulary import UNK, Vocabulary
from lstmdrop.errors import DataError

MODEL = "sentencepiece.model"
MAX_REMEMBERED = 1 << 19
"""Words whose ids are kept, so that a text of ever new words takes bounded memory."""


class SubwordTokenizer:
    """Cuts words into pieces that SentencePiece has learned; a character it has not seen becomes ``<unk>``.

    No piece reaches across a space, so that a line's ids are its words' ids one after the other, and each
    different word is cut only once. The word ``<unk>`` of a text stands for itself.

    Where two ways to cut a word are equally probable, SentencePiece lets the rounding of what came before in
    the line decide; here the word alone decides.
    """

    def __init__(self, kind: Literal["bpe", "unigram"], model: bytes) -> None:
        self.kind: Literal["bpe", "unigram"] = kind
        self._model = model
        self._processor = SentencePieceProcessor(model_proto=model)
        self.vocabulary = Vocabulary(tuple(map(self._processor.id_to_piece, range(len(self._processor)))))
        self.eos = self.vocabulary.eos
        self.unk = self.vocabulary.unk
        self.fingerprint = hashlib.sha256(f"{kind} {hashlib.sha256(model).hexdigest()}".encode()).hexdigest()
        self._ids_of_word: dict[str, bytes] = {}
        self._forget()

    @classmethod
    def train(cls, text: Path, kind: Literal["bpe", "unigram"], *, max_size: int | None = None) -> SubwordTokenizer:
        """Learn the pieces of a text; see `train_model`.

        Raises:
            DataError: the text is missing, empty, blank or not UTF-8.
            ConfigError: ``max_size`` leaves no room for the text's characters.
        """
        return cls(kind, train_model(text, kind, max_size))

    @classmethod
    def load(cls, directory: Path, kind: Literal["bpe", "unigram"]) -> SubwordTokenizer:
        """Read what `save` wrote.

        Raises:
            DataError: the model is missing or damaged.
        """
        path = directory / MODEL
        try:
            return cls(kind, path.read_bytes())
        except FileNotFoundError:
            raise DataError(f"{path}: no such SentencePiece model") from None
        except (RuntimeError, ValueError) as error:
            raise DataError(f"{path}: the SentencePiece model is damaged ({error})") from None

    def encode(self, line: str) -> list[int]:
        """The ids of the line's pieces."""
        ids: list[int] = self._ids(line.split(" ")).tolist()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        r"""The pieces joined to words again; ``<eos>`` becomes ``"\n"``."""
        lines: list[list[int]] = [[]]
        for number in ids:
            if number == self.eos:
                lines.append([])
            else:
                lines[-1].append(number)
        return "\n".join(self._processor.decode(line) for line in lines)

    def cut(self, text: str) -> int:
        """Just after the last space or line end."""
        return max(text.rfind(" "), text.rfind("\n")) + 1

    def encode_block(self, text: str) -> EncodedBlock:
        """The ids of many lines at once."""
        words = text.replace("\n", " \n ").split(" ")
        ids = self._ids(words)
        return EncodedBlock(ids, int((ids == self.unk).sum()) - words.count(UNK))

    def save(self, directory: Path) -> None:
        """Write SentencePiece's model and what kind of tokeniser it belongs to."""
        with atomic_file(directory / MODEL) as handle:
            handle.write(self._model)
        write_description(directory, self.kind, self.fingerprint)

    def _ids(self, words: Sequence[str]) -> npt.NDArray[np.int32]:
        # Joined bytes become an array faster than numbers do, one by one.
        try:
            joined = b"".join(map(self._ids_of_word.__getitem__, words))
        except KeyError:
            self._learn(words)
            joined = b"".join(map(self._ids_of_word.__getitem__, words))
        return np.frombuffer(joined, np.int32)

    def _learn(self, words: Sequence[str]) -> None:
        if len(self._ids_of_word) > MAX_REMEMBERED:
            self._forget()
        unseen = list(set(words).difference(self._ids_of_word))
        for word, ids in zip(unseen, self._processor.encode(unseen, num_threads=1), strict=True):
            self._ids_of_word[word] = _packed(ids)

    def _forget(self) -> None:
        space = self._processor.piece_to_id("▁")
        self._ids_of_word = {"": b"", "\n": _packed([self.eos]), UNK: _packed([space, self.unk])}


def _packed(ids: Sequence[int]) -> bytes:
    return np.array(ids, np.int32).tobytes()
