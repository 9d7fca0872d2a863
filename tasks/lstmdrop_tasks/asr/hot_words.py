"""Words that a search is told to listen for: names, terms, whatever the training data had little of."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lstmdrop.data.spelling import is_file
from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.fusion import piece_of

OF_A_PATH = re.compile(r"[/\\]|\.[^\W\d_]\w*$")

log = logging.getLogger("lstmdrop.asr")


def read_hot_words(given: str) -> list[str]:
    """The entries of a file, a line each, or those between the commas of ``given`` itself.

    Raises:
        DataError: it looks like a path and no file is there, or the file cannot be read.
        UsageError: there is no word in it.
    """
    is_there = is_file(Path(given))
    if not is_there and OF_A_PATH.search(given):
        raise DataError(f"{given}: no such file; hot words themselves stand between commas: --hot-words anna,boris")
    entries = list(read_lines(Path(given))) if is_there else given.split(",")
    found = [entry.strip() for entry in entries if entry.strip()]
    if not found:
        raise UsageError(f"--hot-words {given!r}: there is no word in it")
    return found


class HotWords:
    """Gives 1 for each hot word of a text, letter by letter as one is spelt, and takes it back where it goes wrong.

    Contextual biasing on the prefix tree of the words (Zhao et al. 2019). A state is the letters of the last word; a
    hot phrase counts as its words. At the end of a text its sum is the number of hot words in it, nothing else.
    """

    most_gain = 1.0

    def __init__(self, entries: Sequence[str], tokenizer: Tokenizer, normalise: Callable[[str], str]) -> None:
        """Spell the words of ``entries`` as the run's transcripts do.

        Raises:
            UsageError: the run can write none of them.
        """
        self._pieces = [piece_of(token, tokenizer) for token in tokenizer.vocabulary.tokens]
        words = sorted({word for entry in entries for word in normalise(entry).split()})
        known = [word for word in words if tokenizer.unk not in tokenizer.encode(word)]
        unknown = ", ".join(word for word in words if word not in known)
        if not known:
            raise UsageError(f"hot words: this run has no letters for any of {unknown or ', '.join(entries)}")
        if unknown:
            log.warning("hot words: this run has not all letters of %s, and cannot write it", unknown)
        self.fingerprint = hashlib.sha256("\n".join(known).encode()).hexdigest()
        self._words = frozenset(known)
        self._shortest: dict[str, int] = {}
        for word in sorted(known, key=len, reverse=True):
            self._shortest |= {word[:end]: len(word) for end in range(1, len(word) + 1)}

    def start(self) -> str:
        """Of no letters."""
        return ""

    def extend(self, states: Sequence[str], tokens: Sequence[int]) -> Sequence[str]:
        """The last word of each prefix with one token more."""
        pieces = [self._pieces[token] for token in tokens]
        return [
            letters if begins_word else state + letters
            for state, (begins_word, letters) in zip(states, pieces, strict=True)
        ]

    def score(self, state: str, token: int) -> float:
        """What the token changes, from -1 to 1."""
        begins_word, letters = self._pieces[token]
        if begins_word:
            return self.finish(state) + self._so_far(letters)
        return self._so_far(state + letters) - self._so_far(state)

    def finish(self, state: str) -> float:
        """What is taken back because the last word ends here and is none of them."""
        return 0.0 if state in self._words else -self._so_far(state)

    def _so_far(self, word: str) -> float:
        """The share of the shortest hot word that begins like this."""
        return len(word) / self._shortest[word] if word in self._shortest else 0.0
