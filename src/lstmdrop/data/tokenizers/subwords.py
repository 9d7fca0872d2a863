"""Subwords: SentencePiece's byte-pair encoding and unigram models."""

from __future__ import annotations

import hashlib
import io
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.text import read_blocks
from lstmdrop.data.tokenizers.words import EncodedBlock, write_description
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.errors import ConfigError, DataError, loading
from lstmdrop.parsing import read_document

with loading("subwords need SentencePiece", "pip install sentencepiece"):
    import sentencepiece
    from sentencepiece import SentencePieceProcessor

DEFAULT_SIZE = 8000
WORDS_PER_PIECE = 20
"""Words of text that should stand behind each piece, so that a small text gets a small vocabulary."""
ROOM = 100
"""Pieces beside the single characters that even the smallest vocabulary gets."""
NUM_SPECIALS = 2
USUAL_COVERAGE = 0.9995
MAX_SENTENCE = 1000
"""Characters of a sentence; longer lines are cut, since SentencePiece skips what is over 4192 bytes."""
MAX_SENTENCES = 200_000
"""Sentences drawn from a large text, so that training holds 200 MB of ASCII at most."""
COUNTED_AT_ONCE = 4096
"""Sentences: NumPy counts the characters of many ten times as fast as Python those of each."""
SEED = 1

OPTIONS: dict[str, Any] = {
    # Never exceeded, see `_drawn`, but vocabularies depend on it: under a limit SentencePiece shuffles the sentences.
    "input_sentence_size": MAX_SENTENCES,
    "normalization_rule_name": "identity",
    "hard_vocab_limit": False,
    # The sums of several threads come in an order that is not always the same.
    "num_threads": 1,
    "bos_id": -1,
    "pad_id": -1,
    "eos_id": 0,
    "unk_id": 1,
    "eos_piece": EOS,
    "unk_piece": UNK,
    "unk_surface": UNK,
    "minloglevel": 2,
}


def train_model(text: Path, kind: Literal["bpe", "unigram"], max_size: int | None) -> bytes:
    """SentencePiece's model of a text, its pieces within words.

    Raises:
        DataError: the text is missing, empty, blank or not UTF-8, or SentencePiece cannot learn from it.
        ConfigError: ``max_size`` leaves no room for the text's characters.
    """
    counts, num_sentences = _count(text)
    size = _default_size(counts) if max_size is None else max_size
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_drawn(_sentences(text), num_sentences),
            model_writer=model,
            model_type=kind,
            vocab_size=size,
            character_coverage=_coverage(counts, size),
            **OPTIONS,
        )
    except RuntimeError as error:
        raise DataError(f"{text}: SentencePiece cannot learn pieces from this text ({error})") from None
    return model.getvalue()


def _count(text: Path) -> tuple[Counter[str], int]:
    """How often each character comes, with a space after each sentence, and the number of sentences."""
    sentences = _sentences(text)
    num_sentences = 0
    counts = np.zeros(sys.maxunicode + 1, np.int64)
    while some := list(islice(sentences, COUNTED_AT_ONCE)):
        num_sentences += len(some)
        found = np.bincount(np.frombuffer("".join(some).encode("utf-32-le"), np.uint32))
        counts[: len(found)] += found
    if not np.delete(counts, ord(" ")).any():
        raise DataError(f"{text}: there is no word in this text, only blank lines")
    counts[ord(" ")] += num_sentences
    return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)}), num_sentences


def _default_size(counts: Counter[str]) -> int:
    return max(len(counts) + ROOM, min(DEFAULT_SIZE, counts[" "] // WORDS_PER_PIECE))


def _coverage(counts: Counter[str], size: int) -> float:
    """All characters where they take at most half of the pieces; else as much of the text as is usual."""
    if 2 * len(counts) <= size:
        return 1.0
    covered = accumulate(count for _, count in counts.most_common())
    needed = sum(so_far < USUAL_COVERAGE * counts.total() for so_far in covered) + 1 + NUM_SPECIALS
    if needed > size:
        raise ConfigError(f"a vocabulary of {size} cannot hold the text's characters; give {needed + ROOM} or more")
    return USUAL_COVERAGE


def _drawn(sentences: Iterator[str], num_sentences: int) -> Iterator[str]:
    """At most ``MAX_SENTENCES``, all equally likely, in order (Knuth, The Art of Computer Programming, 3.4.2, S).

    SentencePiece can draw too, but other sentences in each process, whatever seed it is given.
    """
    wanted = min(MAX_SENTENCES, num_sentences)
    random = Random(SEED)
    for position, sentence in enumerate(sentences):
        if random.random() * (num_sentences - position) < wanted:
            wanted -= 1
            yield sentence


def _sentences(text: Path) -> Iterator[str]:
    for block in read_blocks(text, _cut):
        for line in block.split("\n"):
            start = 0
            while len(line) - start > MAX_SENTENCE:
                end = start + _cut(line[start : start + MAX_SENTENCE])
                yield line[start:end]
                start = end
            if start < len(line):
                yield line[start:]


def _cut(text: str) -> int:
    return max(text.rfind(" "), text.rfind("\n")) + 1 or len(text)


MODEL = "sentencepiece.model"
MOST_BYTES = 1 << 26
"""Of a model: some million pieces."""
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
            tokenizer = cls(kind, read_document(path, MOST_BYTES))
            tokenizer.decode([tokenizer.unk])  # what is written for it is in the model too, and may be no text
            return tokenizer
        except FileNotFoundError:
            raise DataError(f"{path}: no such SentencePiece model") from None
        except (RuntimeError, ValueError) as error:
            raise DataError(f"{path}: the SentencePiece model is damaged ({error})") from None

    def encode(self, line: str) -> list[int]:
        """The ids of the line's pieces."""
        ids: list[int] = self._ids(line.split(" ")).tolist()
        return ids

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where each piece begins and ends in the line; the blank before a word is no part of its first piece."""
        spans: list[tuple[int, int]] = []
        start = 0
        for word in line.split(" "):
            end = start
            for number, piece in enumerate(self._pieces(word)):
                begin, end = end, end + len(piece) - (number == 0)  # the first one begins with the mark of a word
                spans.append((begin, end))
            start += len(word) + 1
        return spans

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

    def _pieces(self, word: str) -> list[str]:
        """The word's pieces as they are written, unknown ones too; the word ``<unk>`` is cut as `encode` cuts it."""
        return ["▁", UNK] if word == UNK else self._processor.encode(word, out_type=str)

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
