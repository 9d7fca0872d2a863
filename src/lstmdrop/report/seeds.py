"""A score over seeds: its mean, how sure it is, and whether two rules differ."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lstmdrop.metrics.student import student_cdf, student_quantile
from lstmdrop.report.summary import RunSummary

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Pooled:
    """A score over seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return statistics.fmean(self.values)

    @property
    def margin(self) -> float | None:
        """Half of the mean's 95% confidence interval (Student's t); None for one seed or a diverged one."""
        spread = _spread(self.values)
        if spread is None:
            return None
        return student_quantile((1 + CONFIDENCE) / 2, len(self.values) - 1) * math.sqrt(spread)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one mean lies from another; by Welch's t-test where both have two seeds or more."""

    value: float
    margin: float | None
    """Half of the difference's 95% confidence interval."""
    p_value: float | None
    """Of a difference at least so large, either way, were there none."""


def pool(values_by_seed: Iterable[tuple[int, float]]) -> Pooled | None:
    """The score of each seed; a seed that was run twice counts once, with its mean."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for seed, value in values_by_seed:
        by_seed[seed].append(value)
    return Pooled(tuple(statistics.fmean(values) for values in by_seed.values())) if by_seed else None


def pool_score(runs: Iterable[RunSummary], split: str, metric: str) -> Pooled | None:
    """A score of each seed; None where no run has it."""
    return pool((run.seed, score.value) for run in runs if (score := run.score(split, metric)))


def pool_gap(runs: Iterable[RunSummary]) -> Pooled | None:
    """The generalisation gap of each seed; None where no run has one."""
    return pool((run.seed, run.gap.value) for run in runs if run.gap)


def difference(ours: Pooled, other: Pooled) -> Difference:
    """``ours`` minus ``other``.

    Source: Welch 1947, with Satterthwaite's degrees of freedom; the seeds of the two need not be the same.
    """
    value = ours.mean - other.mean
    spreads = [_spread(ours.values), _spread(other.values)]
    if None in spreads:
        return Difference(value, None, None)
    first, second = (spread or 0.0 for spread in spreads)
    if first + second == 0:
        # Of equal numbers nothing says how far others would lie apart.
        return Difference(value, 0.0, 1.0) if value == 0 else Difference(value, None, None)
    error = math.sqrt(first + second)
    counts = (len(ours.values) - 1, len(other.values) - 1)
    degrees = (first + second) ** 2 / (first**2 / counts[0] + second**2 / counts[1])
    margin = student_quantile((1 + CONFIDENCE) / 2, degrees) * error
    return Difference(value, margin, 2 * student_cdf(-abs(value) / error, degrees))


def _spread(values: Sequence[float]) -> float | None:
    """The variance of the mean; None where it cannot be known."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    return statistics.variance(values) / len(values)
