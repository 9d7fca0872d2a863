"""Cutting text into tokens: what a tokeniser does, how one is trained, and how it is read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from lstmdrop.data.sample import sampled
from lstmdrop.data.tokenizers.subwords import SubwordTokenizer
from lstmdrop.data.tokenizers.words import DESCRIPTION, VOCABULARY, CharacterTokenizer, EncodedBlock, WordTokenizer
from lstmdrop.data.vocabulary import Vocabulary
from lstmdrop.errors import DataError
from lstmdrop.parsing import read_json_document

TokenizerKind = Literal["word", "character", "bpe", "unigram"]


class Tokenizer(Protocol):
    """Turns lines of text into token ids and back."""

    @property
    def kind(self) -> TokenizerKind:
        """What its tokens are."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens in the order of their ids."""
        ...

    @property
    def eos(self) -> int:
        """The id that ends a line."""
        ...

    @property
    def unk(self) -> int:
        """The id of what the vocabulary lacks."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that determines the ids."""
        ...

    def encode(self, line: str) -> list[int]:
        """The ids of one line, without ``<eos>``."""
        ...

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where each token of `encode` begins and ends in the line, in characters."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        r"""Readable text; ``<eos>`` becomes ``"\n"``."""
        ...

    def cut(self, text: str) -> int:
        """After how many characters ``text`` may be cut and its parts be encoded apart; 0 if nowhere."""
        ...

    def encode_block(self, text: str) -> EncodedBlock:
        r"""The ids of many lines at once, an ``<eos>`` for each ``"\n"``."""
        ...

    def save(self, directory: Path) -> None:
        """Write all that `load_tokenizer` needs into a folder."""
        ...


def train_tokenizer(
    kind: TokenizerKind,
    train_text: Path,
    *,
    min_count: int = 1,
    max_size: int | None = None,
    megabytes: float | None = None,
) -> Tokenizer:
    """Make a tokeniser from the training text alone.

    ``max_size`` bounds the vocabulary; ``bpe`` and ``unigram`` aim at it, and at 8,000 or what a small text
    supports where it is None. They have no use for ``min_count``. Of a text of more than so many ``megabytes`` they are
    learnt from a sample: see `lstmdrop.data.sample`. The same text gives the same tokeniser.

    Raises:
        DataError: the text is missing, empty, blank or not UTF-8.
        ConfigError: ``max_size`` leaves no room for the text's characters.
        ValueError: ``min_count`` or ``max_size`` is out of range.
    """
    with sampled(train_text, megabytes) as text:
        if kind == "word":
            return WordTokenizer.train(text, min_count=min_count, max_size=max_size)
        if kind == "character":
            return CharacterTokenizer.train(text, min_count=min_count, max_size=max_size)
        return SubwordTokenizer.train(text, kind, max_size=max_size)


def load_tokenizer(directory: Path) -> Tokenizer:
    """Read what `Tokenizer.save` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    path = directory / DESCRIPTION
    try:
        description = read_json_document(path)
        kind, fingerprint = description["kind"], description.get("fingerprint")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, so {directory} holds no tokeniser") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: the tokeniser's description is damaged ({error})") from None
    tokenizer = _of_kind(kind, directory)
    if fingerprint not in (None, tokenizer.fingerprint):
        raise DataError(f"{directory}: the tokeniser is damaged: its tokens are not those that {DESCRIPTION} names")
    return tokenizer


def _of_kind(kind: object, directory: Path) -> Tokenizer:
    if kind == "word":
        return WordTokenizer(Vocabulary.load(directory / VOCABULARY))
    if kind == "character":
        return CharacterTokenizer(Vocabulary.load(directory / VOCABULARY))
    if kind in ("bpe", "unigram"):
        return SubwordTokenizer.load(directory, "bpe" if kind == "bpe" else "unigram")
    raise DataError(
        f"{directory / DESCRIPTION}: no tokeniser is of the kind {kind!r}; choose word, character, bpe or unigram"
    )
