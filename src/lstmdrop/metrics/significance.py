"""Whether two systems differ on the same test segments: paired bootstrap and paired approximate randomisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Statistics = npt.NDArray[np.float64]

SEED = 12345
"""sacreBLEU's, so that the same samples give the same p-values."""
LEVEL = 0.05
"""Of the p-values and intervals: 95% of the samples lie within."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Segments:
    """What a corpus score is made of: statistics of each test segment, which add up."""

    statistics: Statistics
    """One row a segment."""
    score: Callable[[Statistics], float]
    """The corpus score from the statistics' sum."""

    @property
    def value(self) -> float:
        """The score of the whole test set."""
        return self.score(self.statistics.sum(0))


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Differences on test sets drawn anew from the segments."""

    low: float
    high: float
    """The 95% confidence interval of second minus first."""
    p_value: float
    """Two-sided: under 0.05 where the interval does not hold 0, and nowhere else."""


def paired_bootstrap(first: Segments, second: Segments, num_samples: int = 1000, seed: int = SEED) -> Bootstrap:
    """The difference ``second`` minus ``first`` on resampled test sets; both see the same segments.

    Source: Koehn 2004; Efron & Tibshirani 1993, chapters 13 and 15. The p-value is twice the share of the samples on
    the rarer side of 0, those at 0 on both sides, and 1 added so that it is never 0; the interval leaves out as many
    samples on each side as such a p-value of under 0.05 allows, so that both say the same.

    Raises:
        ValueError: they are not made of the same number of segments.
    """
    num_segments = _same_number(first, second)
    chosen = np.random.default_rng(seed).choice(num_segments, size=(num_samples, num_segments), replace=True)
    counts = np.stack([np.bincount(row, minlength=num_segments) for row in chosen]).astype(np.float64)
    differences = _scores(second, counts @ second.statistics) - _scores(first, counts @ first.statistics)
    differences[np.abs(differences) < _tolerance(second.value - first.value)] = 0.0
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    # So few segments can lean one way by chance: of 2 ** n ways to swap them, two are as far apart.
    p_value = min(1.0, max(2 * (rarer + 1) / (num_samples + 1), 2.0 ** (1 - num_segments)))
    num_left_out = max(0, math.ceil(LEVEL / 2 * (num_samples + 1)) - 2)
    ordered = np.sort(differences)
    low, high = float(ordered[num_left_out]), float(ordered[-1 - num_left_out])
    return Bootstrap(low, high, p_value) if p_value < LEVEL else Bootstrap(min(low, 0.0), max(high, 0.0), p_value)


def paired_randomisation(first: Segments, second: Segments, num_samples: int = 10000, seed: int = SEED) -> float:
    """The p-value of the difference when each segment's two outputs are swapped at random.

    Source: Riezler & Maxwell 2005; as in sacreBLEU, but for ties, which count as in `paired_bootstrap`.

    Raises:
        ValueError: they are not made of the same number of segments.
    """
    num_segments = _same_number(first, second)
    kept = np.random.default_rng(seed).integers(2, size=(num_samples, num_segments), dtype=bool)
    both = first.statistics.sum(0) + second.statistics.sum(0)
    sums = [
        kept[start : start + _CHUNK].astype(np.float64) @ (first.statistics - second.statistics)
        for start in range(0, num_samples, _CHUNK)
    ]
    shuffled = np.concatenate(sums) + second.statistics.sum(0)
    differences = np.abs(_scores(first, shuffled) - _scores(first, both - shuffled))
    return _p_value(differences, abs(first.value - second.value))


def _same_number(first: Segments, second: Segments) -> int:
    if len(first.statistics) != len(second.statistics) or not len(first.statistics):
        raise ValueError(f"{len(first.statistics)} segments cannot be paired with {len(second.statistics)}")
    return len(first.statistics)


def _scores(segments: Segments, sums: Statistics) -> Statistics:
    return np.array([segments.score(row) for row in sums])


def _p_value(sizes: Statistics, observed: float) -> float:
    """The share that is as large as what was observed, 1 added on both sides so that it is never 0 (Noreen 1989)."""
    return float((np.sum(sizes >= observed - _tolerance(observed)) + 1) / (len(sizes) + 1))


def _tolerance(observed: float) -> float:
    """Sums of fractions are exact to rounding only."""
    return 1e-9 * max(1.0, abs(observed))
