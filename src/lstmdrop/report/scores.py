"""What tables say of scores: how they were made, which way is better, and what several seeds tell."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lstmdrop.metrics.score import ADAPTED, Score, metric_decimals, metric_title
from lstmdrop.metrics.student import student_cdf, student_quantile
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.table import Note, Rounded

# Settings that change no result, and those that a line of a table states itself
_NEUTRAL = ("seed", "training.log_every", "training.save_minutes", "regularizer.", "start.")
# What no other setting that differs with them may tell in their place
_FIRST = ("start", "changes")
# Parts of the first score's signature that are as good as settings: numbers that differ in them have no common mean
_TELLING = ("tok", "case", "vocabulary")


def better_direction(score: Score) -> str:
    """Which values of the score are better, in one word."""
    return "higher" if score.higher_is_better else "lower"


def measured(metric: str, value: float) -> Rounded:
    """A value of a score, to be written with as many decimals as such scores have."""
    return Rounded.to(metric_decimals(metric), value)


def mean_text(metric: str, pooled: Pooled | None) -> str:
    """``97.85 ± 1.87``; the mean alone where there is no interval, nothing where there is no score."""
    if pooled is None:
        return ""
    return value_text(metric, pooled.mean) + _with_margin(metric, pooled.margin)


def difference_text(metric: str, change: Difference | None) -> str:
    """``-2.59 ± 3.13``; nothing where there is none."""
    if change is None:
        return ""
    return format(change.value, f"+.{metric_decimals(metric)}f") + _with_margin(metric, change.margin)


def gap_text(runs: Sequence[RunSummary], metric: str) -> str:
    """The generalisation gap with its interval; of another score than ``metric``, that is named behind it."""
    names = dict.fromkeys(run.gap.metric for run in runs if run.gap)
    text = mean_text(next(iter(names), metric), pool_gap(runs))
    return " ".join(filter(None, [text, *(metric_title(name) for name in names if name != metric)]))


def _with_margin(metric: str, margin: float | None) -> str:
    return "" if margin is None else f" ± {value_text(metric, margin)}"


def value_text(metric: str, value: float) -> str:
    """``97.85``."""
    return format(value, f".{metric_decimals(metric)}f")


def signature_notes(runs: Iterable[RunSummary], scores: Collection[tuple[str, str]]) -> Iterable[Note]:
    """How the numbers of a table were made; more than one way for one number is worth a warning."""
    names: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for entry in run.scores:
            if (entry.split, entry.score.name) in scores:
                what = f"{run.task} {run.data} {entry.split} {entry.score.name}"
                names[what][_way(entry.score)].append(run.directory.name)
    for what, signatures in names.items():
        for number, (signature, directories) in enumerate(signatures.items(), start=1):
            which = f", way {number} of {len(signatures)} ({', '.join(directories)})"
            yield Note(f"{what}{which if len(signatures) > 1 else ''}:", signature)


def signatures(runs: Iterable[RunSummary], split: str, metric: str) -> str:
    """How the numbers of one cell were made, as one line."""
    return " or ".join(dict.fromkeys(score.signature for run in runs if (score := run.score(split, metric))))


def _way(score: Score) -> str:
    """A signature without its number of models, which every line of a table states: that alone is no second way."""
    return re.sub(r"\|?\bmodels:\d+", "", score.signature)


def differing_settings(runs: Iterable[RunSummary]) -> list[str]:
    """The settings in which runs differ besides rule and seed; of one that a run does not know, its task's default."""
    values: dict[str, list[object]] = defaultdict(list)
    for run in runs:
        for key, known in _known(run).items():
            if not key.startswith(_NEUTRAL) and (value := _told(key, known)) not in values[key]:
                values[key].append(value)
    return sorted(key for key, known in values.items() if len(known) > 1)


def telling_settings(runs: Sequence[RunSummary]) -> list[str]:
    """As few of `differing_settings` as tell the same runs apart: one that follows another says nothing new."""
    keys = sorted(differing_settings(runs), key=lambda key: (key not in _FIRST, not key.startswith("model.")))
    chosen: list[str] = []
    for key in keys:
        if _num_kinds(runs, [*chosen, key]) > _num_kinds(runs, chosen):
            chosen.append(key)
    return sorted(chosen)


def _num_kinds(runs: Iterable[RunSummary], keys: Sequence[str]) -> int:
    return len({tuple(str(setting(run, key)) for key in keys) for run in runs})


def setting(run: RunSummary, key: str) -> object:
    """A setting as tables tell it; ``?`` where it is not known."""
    return _told(key, _known(run).get(key, "?"))


def _told(key: str, value: object) -> object:
    """Of the run that training started from only that there was one: every seed starts from its own."""
    return "RUN" if key == "start_from" and value not in (None, "?") else value


def _known(run: RunSummary) -> dict[str, object]:
    """Settings by dotted key, with what the signature tells beside them."""
    signature = run.scores[0].score.signature if run.scores else ""
    parts = {key: value for key, _, value in (part.partition(":") for part in signature.split("|"))}
    adapted = {key: run.adaptation.get(key, "no") for key in ADAPTED}  # no run has no say in these
    told = {key: parts[key] for key in _TELLING if key in parts}
    begun = {"start": run.start, "changes": run.changes}
    return {**run.defaults, **run.settings, **told, **adapted, **{key: value or "no" for key, value in begun.items()}}


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
