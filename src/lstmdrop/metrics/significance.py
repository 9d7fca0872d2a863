"""Whether two systems differ on the same test segments: paired bootstrap and paired approximate randomisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_TINY = 1e-300
_PRECISION = 1e-15


def student_cdf(t: float, degrees: float) -> float:
    """The probability of a value below ``t``; ``degrees`` of freedom need not be whole.

    Source: Abramowitz & Stegun 1964, 26.7.1, by the incomplete beta function.
    """
    tail = 0.5 * _incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)
    return tail if t < 0 else 1 - tail


def student_quantile(probability: float, degrees: float) -> float:
    """The value below which a share ``probability`` lies, by bisection.

    Raises:
        ValueError: the probability is not between 0 and 1, or there is no degree of freedom.
    """
    if not 0 < probability < 1 or degrees <= 0:
        raise ValueError(f"no quantile {probability} of t with {degrees} degrees of freedom")
    if probability < 0.5:
        return -student_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function (Abramowitz & Stegun 1964, 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(x, a, b) / a
    return 1 - math.exp(log_front) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 1000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


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
