"""Scores of a text by its characters, bytes and words: what models of any vocabulary have in common.

A model that cuts text into other tokens makes other predictions, fewer or more of them, so that perplexities of a token
cannot be compared. All of them give the same text a probability. Its logarithm, divided by a length of the text that no
model chooses, can be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.metrics.perplexity import LogProbs
from lstmdrop.metrics.score import Score

Counts = npt.NDArray[np.int64]

OF_TOKENS = ("tokens", "known", "vocabulary", "fingerprint")
"""Parts of a perplexity's signature that say nothing of a text's probability, where the vocabulary has the text."""

FEW = 1e-3
"""The share of unknown tokens up to which it does: what they would take to be spelt is lost in the third digit."""


class TextSize(NamedTuple):
    """How long a text is, its line ends among it."""

    characters: int
    """Unicode code points, blanks and a newline for each line end among them."""
    bytes: int
    """Of its UTF-8."""
    words: int
    """What white space separates, and each line's end: what a model of words predicts."""


def size_of(text: str) -> TextSize:
    """The size of some lines, each with its newline."""
    num_words = len(text.split()) + text.count("\n")
    return TextSize(len(text), len(text.encode(errors="surrogatepass")), num_words)


@dataclass(frozen=True, slots=True)
class ScoredLines:
    """The sizes of the lines of a text that was scored as one stream; what its first token covers is left out.

    That token is not predicted: nothing stands before it.
    """

    tokens: Counts
    """Predicted ones, shape ``(lines,)`` as all of these."""
    characters: Counts
    bytes: Counts
    words: Counts
    masked: Counts
    """Words that the text itself has as ``<unk>``: they are scored as they are written, whatever they stand for."""

    @property
    def arrays(self) -> dict[str, Counts]:
        """By the names under which runs keep them."""
        return {f"{_KEPT}{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def kept(cls, arrays: Mapping[str, Counts]) -> ScoredLines | None:
        """What was kept under these names; None where they are not there."""
        names = [f"{_KEPT}{field.name}" for field in fields(cls)]
        return cls(*(arrays[name] for name in names)) if arrays.keys() >= {*names} else None


_KEPT = "line_"


def bits(log_prob: float, size: int) -> float:
    """Bits a character or byte, of a log-probability in nats."""
    return -log_prob / math.log(2) / size


def perplexity_of(log_prob: float, size: int) -> float:
    """Of a word, from a log-probability in nats."""
    return math.exp(min(-log_prob / size, _LARGEST))


_LARGEST = math.log(np.finfo(np.float64).max)

UNITS = {
    "word_perplexity": ("word", "words", perplexity_of),
    "bits_per_character": ("character", "characters", bits),
    "bits_per_byte": ("byte", "bytes", bits),
}
"""By the score's name: the unit, the field of `TextSize` that counts it, and the value."""


def unit_scores(perplexity: Score, log_probs: LogProbs, lines: ScoredLines) -> list[Score]:
    """The scores of `UNITS` of a stream whose perplexity is known; their signatures follow from its own.

    The vocabulary stands in them only where it lacks more than a `FEW` of the text's tokens. Then they can be compared
    within one vocabulary alone: ``<unk>`` is one guess for very many words, and the text's own probability is unknown.
    """
    total = float(log_probs.astype(np.float64).sum())
    return [unit_score(name, perplexity, total, lines) for name in UNITS]


def unit_score(name: str, perplexity: Score, log_prob: float, lines: ScoredLines) -> Score:
    """One of them, of the text's log-probability in nats."""
    unit, field, value = UNITS[name]
    size = int(getattr(lines, field).sum())
    pairs = [part.partition(":") for part in perplexity.signature.split("|")]
    counts = perplexity.counts
    has_the_text = "unknown" in counts and counts["unknown"] <= FEW * counts.get("tokens", 0)
    left_out: Sequence[str] = OF_TOKENS if has_the_text else OF_TOKENS[:2]
    how = [f"{key}:{said}" for key, _, said in pairs if key not in left_out]
    num_masked = int(lines.masked.sum())
    masked = [f"masked:{num_masked}"] if num_masked else []
    return Score(name, value(log_prob, size), False, "|".join([f"unit:{unit}", f"{field}:{size}", *masked, *how]))
