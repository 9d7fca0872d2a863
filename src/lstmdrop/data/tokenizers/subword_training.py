"""Training SentencePiece models: the same text gives the same model, in bounded memory."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np

from lstmdrop.data.text import read_blocks
from lstmdrop.data.vocabulary import EOS, UNK
from lstmdrop.errors import ConfigError, DataError, loading

with loading("subwords need SentencePiece", "pip install sentencepiece"):
    import sentencepiece

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
