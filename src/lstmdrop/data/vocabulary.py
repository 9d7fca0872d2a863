"""The tokens a model knows, each with its number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.spelling import letters_of
from lstmdrop.errors import DataError
from lstmdrop.parsing import read_json_document, to_json

EOS = "<eos>"
"""Ends every line."""

UNK = "<unk>"
"""Stands for every token that the vocabulary lacks."""

MOST_BYTES = 1 << 26
"""Of a vocabulary's file: some million tokens."""


@dataclass(frozen=True)
class Vocabulary:
    """Different tokens in the order of their ids; ``<eos>`` and ``<unk>`` are always among them."""

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.tokens):
            raise ValueError("a vocabulary holds every token once, and this one repeats some")
        missing = [token for token in (EOS, UNK) if token not in self.ids]
        if missing:
            raise ValueError(f"a vocabulary needs {EOS} and {UNK}, and this one lacks {', '.join(missing)}")

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """The id of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def letters(self) -> frozenset[str]:
        """The letters beyond ASCII in the tokens, each with its marks."""
        return frozenset(letters_of(self.tokens))

    @property
    def eos(self) -> int:
        """The id of ``<eos>``."""
        return self.ids[EOS]

    @property
    def unk(self) -> int:
        """The id of ``<unk>``."""
        return self.ids[UNK]

    def id_of(self, token: str) -> int:
        """The token's id, or that of ``<unk>``."""
        return self.ids.get(token, self.unk)

    def token_of(self, number: int) -> str:
        """The token of an id.

        Raises:
            LookupError: there is no such id.
        """
        if not 0 <= number < len(self.tokens):
            raise LookupError(f"no token has the id {number}; they go from 0 to {len(self.tokens) - 1}")
        return self.tokens[number]

    @cached_property
    def sha256(self) -> str:
        """Hash of the tokens and their order."""
        return hashlib.sha256(json.dumps(self.tokens).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the tokens as JSON, one a line."""
        text = to_json({"tokens": self.tokens}, ensure_ascii=False, indent=0)
        with atomic_file(path) as handle:
            handle.write(text.encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            tokens = read_json_document(path, MOST_BYTES)["tokens"]
            if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
                raise ValueError("every token must be a string")
            return cls(tuple(tokens))
        except FileNotFoundError:
            raise DataError(f"{path}: no such vocabulary") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: the vocabulary is damaged ({error})") from None


def count_vocabulary(counts: Mapping[str, int], *, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
    """The most frequent tokens first, ties in alphabetical order.

    ``min_count`` leaves out rarer tokens, ``max_size`` all but the first so many. ``<eos>`` and ``<unk>`` are
    in whatever their counts, and within ``max_size``.

    Raises:
        ValueError: ``min_count`` is below 1 or ``max_size`` below 2.
    """
    if min_count < 1:
        raise ValueError(f"min_count is {min_count}; it must be at least 1")
    if max_size is not None and max_size < 2:
        raise ValueError(f"max_size is {max_size}; {EOS} and {UNK} alone need 2")
    ranked = {EOS: 0, UNK: 0, **counts}
    specials = (EOS, UNK)
    words = [token for token, count in ranked.items() if count >= min_count and token not in specials]
    words.sort(key=lambda token: (-ranked[token], token))
    kept = [*words[: None if max_size is None else max_size - len(specials)], *specials]
    return Vocabulary(tuple(sorted(kept, key=lambda token: (-ranked[token], token))))


def required_words(vocabulary: Vocabulary, text: Path, min_count: int) -> Vocabulary:
    """The vocabulary, if there is more in it than ``<eos>`` and ``<unk>``.

    Raises:
        DataError: there is not, so that a model would learn nothing but where lines end.
    """
    if len(vocabulary) <= 2:
        raise DataError(
            f"{text}: no token comes {min_count} times, so that the vocabulary would be {EOS} and {UNK} alone\n"
            "lower data.min_count or use more text"
        )
    return vocabulary
