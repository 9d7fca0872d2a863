"""Whether two systems differ on the same test segments: paired bootstrap and paired approximate randomisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Statistics = npt.NDArray[np.float64]

SEED = 12345
"""sacreBLEU's, so that the same samples give the same p-values."""
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


def paired_bootstrap(first: Segments, second: Segments, num_samples: int = 1000, seed: int = SEED) -> Bootstrap:
    """The difference ``second`` minus ``first`` on resampled test sets; both see the same segments.

    Source: Koehn 2004; the p-value as in sacreBLEU and multeval (the centred size of the difference), but for samples
    that tie with the observed one: they count, or runs that hardly differ would differ significantly.

    Raises:
        ValueError: they are not made of the same number of segments.
    """
    num_segments = _same_number(first, second)
    chosen = np.random.default_rng(seed).choice(num_segments, size=(num_samples, num_segments), replace=True)
    counts = np.stack([np.bincount(row, minlength=num_segments) for row in chosen]).astype(np.float64)
    differences = _scores(second, counts @ second.statistics) - _scores(first, counts @ first.statistics)
    sizes = np.abs(differences)
    low, high = np.percentile(differences, [2.5, 97.5])
    return Bootstrap(float(low), float(high), _p_value(sizes - sizes.mean(), abs(second.value - first.value)))


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
    tolerance = 1e-9 * max(1.0, abs(observed))  # sums of fractions are exact to rounding only
    return float((np.sum(sizes >= observed - tolerance) + 1) / (len(sizes) + 1))
