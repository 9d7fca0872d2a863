"""CIDEr-D of single captions against a corpus of references, fast enough to be a reward in training."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lstmdrop.metrics.significance import Statistics

_MAX_ORDER = 4
_SIGMA = 6.0
_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class _Caption:
    """A caption as vectors, one an order of n-grams."""

    length: int
    """The number of bigrams, as in pycocoevalcap."""
    weights: list[dict[str, float]]
    norms: list[float]


class CiderD:
    """CIDEr-D as pycocoevalcap gives it (Vedantam, Zitnick & Parikh 2015), with the references weighed beforehand.

    ``references`` are the tokenised references of each image, at least one; document frequencies are theirs.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        self._log_images = math.log(len(references)) if references else 0.0
        frequencies: Counter[str] = Counter()
        for some in references:
            frequencies.update({sys.intern(ngram) for line in some for counts in _count(line) for ngram in counts})
        self._rarity = {ngram: self._log_images - math.log(frequency) for ngram, frequency in frequencies.items()}
        self._images = [[self._weigh(line) for line in some] for some in references]

    def scores(self, numbers: Sequence[int], hypotheses: Sequence[str]) -> Statistics:
        """Of each tokenised hypothesis against the references of the image of that number, counted from 0.

        Raises:
            ValueError: there is not one number a hypothesis.
        """
        pairs = zip(numbers, hypotheses, strict=True)
        return np.array([self._score(self._images[number], line) for number, line in pairs], np.float64)

    def _score(self, references: Sequence[_Caption], hypothesis: str) -> float:
        ours = self._weigh(hypothesis)
        return _SCALE * sum(_similarity(ours, theirs) for theirs in references) / len(references)

    def _weigh(self, line: str) -> _Caption:
        counts, rarity, unseen = _count(line), self._rarity, self._log_images
        weights = [
            {sys.intern(ngram): count * rarity.get(ngram, unseen) for ngram, count in some.items()} for some in counts
        ]
        norms = [math.sqrt(sum(weight * weight for weight in some.values())) for some in weights]
        return _Caption(sum(counts[1].values()), weights, norms)


def _similarity(hypothesis: _Caption, reference: _Caption) -> float:
    """The mean over orders of the cosines with clipped weights, less where lengths differ."""
    total = 0.0
    for order, (ours, theirs) in enumerate(zip(hypothesis.weights, reference.weights, strict=True)):
        product = 0.0
        for ngram in ours.keys() & theirs.keys():
            product += min(ours[ngram], theirs[ngram]) * theirs[ngram]
        if product:
            total += product / (hypothesis.norms[order] * reference.norms[order])
    difference = hypothesis.length - reference.length
    return total / _MAX_ORDER * math.exp(-(difference**2) / (2 * _SIGMA**2))


def _count(line: str) -> list[Mapping[str, int]]:
    """Of each order its n-grams, words joined by blanks."""
    words = line.split()
    return [
        Counter([" ".join(words[start : start + order]) for start in range(len(words) - order + 1)])
        for order in range(1, _MAX_ORDER + 1)
    ]
