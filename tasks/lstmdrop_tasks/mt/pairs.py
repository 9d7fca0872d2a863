"""Sentence pairs: their tokenisers, their token ids mapped into memory, and batches of them."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.store import TokenStore, build_store
from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from lstmdrop.data.vocabulary import EOS
from lstmdrop.errors import DataError
from lstmdrop.nn.decoder import PADDING
from lstmdrop_tasks.mt.config import MTDataConfig
from lstmdrop_tasks.mt.corpora.parallel import ParallelText

JOINT, SOURCE, TARGET = "joint", "source", "target"


@dataclass(frozen=True, slots=True)
class Tokenizers:
    """How each language is cut into tokens; one object twice where they share one set."""

    source: Tokenizer
    target: Tokenizer

    @property
    def fingerprint(self) -> str:
        """Identity of both."""
        return f"{self.source.fingerprint} {self.target.fingerprint}"

    def save(self, assets: Path) -> None:
        """Write what `load_tokenizers` reads."""
        names = {JOINT: self.source} if self.source is self.target else {SOURCE: self.source, TARGET: self.target}
        for name, tokenizer in names.items():
            (assets / name).mkdir()
            tokenizer.save(assets / name)


def load_tokenizers(assets: Path) -> Tokenizers:
    """Read what `Tokenizers.save` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    if (assets / JOINT).is_dir():
        joint = load_tokenizer(assets / JOINT)
        return Tokenizers(joint, joint)
    return Tokenizers(load_tokenizer(assets / SOURCE), load_tokenizer(assets / TARGET))


def train_tokenizers(config: MTDataConfig, text: ParallelText) -> Tokenizers:
    """Make the tokens from the training text alone.

    Raises:
        DataError: a text is missing, blank or not UTF-8.
        ConfigError: a vocabulary size leaves no room for the text's characters.
    """
    size = config.vocabulary_size
    learn = partial(train_tokenizer, config.tokens, megabytes=config.vocabulary_mb)
    if config.joint:
        with tempfile.TemporaryDirectory() as folder:
            joint = learn(_both(text, Path(folder) / "both.txt"), max_size=size)
        return Tokenizers(joint, joint)
    target_size = config.target_vocabulary_size or size
    return Tokenizers(learn(text.source, max_size=size), learn(text.target, max_size=target_size))


def _both(text: ParallelText, path: Path) -> Path:
    with path.open("wb") as whole:
        for side in (text.source, text.target):
            with side.open("rb") as lines:
                shutil.copyfileobj(lines, whole)
    return path


Ids = npt.NDArray[np.int64]


class PairBatch(NamedTuple):
    """Padded sentences, one a column, the longest source first; every sentence ends with ``<eos>``."""

    source: Int[Tensor, "positions batch"]
    source_lengths: Int[Tensor, " batch"]
    """On the CPU."""
    inputs: Int[Tensor, "time batch"]
    """What the decoder has written before each step: ``<eos>``, then the target but for its own ``<eos>``."""
    targets: Int[Tensor, "time batch"]
    numbers: Int[Tensor, " batch"]
    """Which pairs these are, on the CPU."""
    num_targets: int

    @property
    def num_rows(self) -> int:
        """The number of pairs."""
        return self.source.shape[1]

    def some_rows(self, rows: slice) -> PairBatch:
        """Some of the pairs alone, without the padding that they do not need."""
        targets, lengths = self.targets[:, rows], self.source_lengths[rows]
        is_word = targets != PADDING
        longest = int(is_word.sum(0).max())
        return PairBatch(
            self.source[: int(lengths.max()), rows],
            lengths,
            self.inputs[:longest, rows],
            targets[:longest],
            self.numbers[rows],
            int(is_word.sum()),
        )


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of one language: ``tokens[offsets[n]:offsets[n + 1]]`` is sentence n, its ``<eos>`` included."""

    store: TokenStore
    offsets: Ids

    @classmethod
    def of(cls, text: Path, tokenizer: Tokenizer, cache: Path) -> Sentences:
        """Cut a text into tokens, or find that done, and find where its sentences end.

        Raises:
            DataError: the text is missing or damaged, or itself holds the token that ends a sentence.
        """
        store = build_store(text, tokenizer, cache)
        offsets = store.offsets(tokenizer.eos)
        if len(offsets) - 1 != store.num_lines:
            lines = enumerate(read_lines(text), 1)
            number = next(number for number, line in lines if tokenizer.eos in tokenizer.encode(line))
            raise DataError(f"{text}, line {number}: the text holds the token {EOS} that ends a sentence; remove it")
        return cls(store, offsets)

    @property
    def lengths(self) -> Ids:
        """Tokens of each sentence, ``<eos>`` included."""
        return np.diff(self.offsets)

    def columns(self, numbers: Ids, padding: int) -> tuple[Ids, Ids]:
        """These sentences side by side, one a column, and their lengths."""
        starts = self.offsets[numbers]
        lengths = self.offsets[numbers + 1] - starts
        rows = np.full((len(numbers), lengths.max()), padding, np.int64)
        rows[np.arange(lengths.max()) < lengths[:, None]] = self.store.stretches(starts, lengths)
        return np.ascontiguousarray(rows.T), lengths


@dataclass(frozen=True, slots=True)
class Pairs:
    """The sentence pairs of a split."""

    source: Sentences
    target: Sentences
    more: tuple[str, ...] = ()
    """Hashes of further translations, which are scored against and not cut into tokens."""

    @classmethod
    def of(cls, text: ParallelText, tokenizers: Tokenizers) -> Pairs:
        """Cut both sides into tokens, or find that done in the cache.

        Raises:
            DataError: as `Sentences.of`.
        """
        folder = cache_dir() / "tokens"
        source = Sentences.of(text.source, tokenizers.source, folder)
        target = Sentences.of(text.target, tokenizers.target, folder)
        return cls(source, target, tuple(map(remembered_sha256, text.more)))

    def __len__(self) -> int:
        return len(self.source.offsets) - 1

    @property
    def sha256(self) -> str:
        """Hash of the texts."""
        hashes = (self.source.store.sha256, self.target.store.sha256, *self.more)
        return hashlib.sha256(" ".join(hashes).encode()).hexdigest()

    def kept(self, max_length: int) -> Ids:
        """The numbers of the pairs with at most so many tokens on each side, ``<eos>`` not counted."""
        return np.flatnonzero(np.maximum(self.source.lengths, self.target.lengths) <= max_length + 1)

    def batch(self, numbers: npt.ArrayLike, device: torch.device) -> PairBatch:
        """These pairs, padded."""
        chosen = np.asarray(numbers, np.int64)
        lengths = self.source.offsets[chosen + 1] - self.source.offsets[chosen]
        order = chosen[np.argsort(-lengths, kind="stable")]
        source, source_lengths = map(torch.from_numpy, self.source.columns(order, 0))
        target, _ = self.target.columns(order, PADDING)
        return _batch(order, source, source_lengths, torch.from_numpy(target), device)


def pad_pairs(
    numbers: Sequence[int], sources: Sequence[Ids], targets: Sequence[Ids], device: torch.device
) -> PairBatch:
    """A batch of these pairs; every sentence ends with ``<eos>``, the longest source comes first."""
    target, _ = padded_columns(targets, PADDING)
    return _batch(np.array(numbers), *padded_columns(sources), target, device)


def _batch(numbers: Ids, source: Tensor, source_lengths: Tensor, target: Tensor, device: torch.device) -> PairBatch:
    is_word = target != PADDING
    eos = target[is_word[:, 0].sum() - 1, 0]
    return PairBatch(
        source.to(device),
        source_lengths,
        torch.cat([eos.expand(1, len(numbers)), target[:-1].clamp(min=0)]).to(device),
        target.to(device),
        torch.from_numpy(numbers),
        int(is_word.sum()),
    )


def padded_columns(
    sentences: Sequence[Ids], padding: int = 0
) -> tuple[Int[Tensor, "time batch"], Int[Tensor, " batch"]]:
    """Sentences side by side, and their lengths."""
    lengths = [len(sentence) for sentence in sentences]
    columns = np.full((max(lengths), len(sentences)), padding, np.int64)
    for number, sentence in enumerate(sentences):
        columns[: len(sentence), number] = sentence
    return torch.from_numpy(columns), torch.tensor(lengths)
