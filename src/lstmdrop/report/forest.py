"""Means and intervals under each other, to be drawn as a picture or in a page."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lstmdrop.metrics.score import metric_title
from lstmdrop.report.changes import Change, changes, in_reading_order, scored_split, task_title
from lstmdrop.report.runs import RunSummary, shown_path
from lstmdrop.report.scores import better_direction, mean_text, pool_score, value_text
from lstmdrop.report.tables import Group, Line, line_name, lines_of


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One mean with its interval."""

    label: str
    mean: float
    """Not finite where there is nothing to draw."""
    low: float | None = None
    """Of the 95% interval; None, as ``high``, where nothing tells it."""
    high: float | None = None
    context: str = ""
    """What the label is of."""
    said: str = ""
    """The numbers, in words."""
    details: str = ""
    """More of them."""
    heading: str = ""
    """Rows that agree in it, one after the other, stand under it."""
    values: tuple[float, ...] = ()
    """What the mean is of."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Rows on one axis."""

    title: str
    axis: str
    rows: tuple[ForestRow, ...]
    reference: float | None = None
    """Where a line stands that rows are compared with."""

    @property
    def limits(self) -> tuple[float, float]:
        """Both ends of the axis.

        An interval that reaches further than all means are apart is cut: of two seeds it may be very long, and
        would leave no room for the others.
        """
        points = [value for row in self.rows for value in (row.mean, *row.values) if math.isfinite(value)]
        points += [] if self.reference is None else [self.reference]
        low, high = min(points, default=0.0), max(points, default=1.0)
        reach = (high - low) or math.inf
        low = max(low - reach, min([low, *(row.low for row in self.rows if row.low is not None)]))
        high = min(high + reach, max([high, *(row.high for row in self.rows if row.high is not None)]))
        pad = max(0.04 * ((high - low) or abs(high) or 1.0), sys.float_info.min)
        return low - pad, high + pad


def changes_forest(runs: Sequence[RunSummary]) -> Forest:
    """What dropout changed, every pair on one axis: per cent of the score without it, better to the right."""
    return Forest(
        title="What dropout changed",
        axis="← worse, in % of the score without dropout, better →",
        rows=tuple(change_row(change) for change in changes(runs)),
        reference=0.0,
    )


def change_row(change: Change) -> ForestRow:
    """One change in per cent, with both scores in words."""
    gain, margin, metric = change.gain, change.margin, change.group.metric
    before, after = (value_text(metric, pooled.mean) for pooled in (change.plain, change.ours))
    return ForestRow(
        label=short_name(change.line),
        mean=gain,
        low=None if margin is None else gain - margin,
        high=None if margin is None else gain + margin,
        context=group_name(change.group),
        said=change.in_words,
        details=f"{metric_title(metric)} {before} → {after}, {_certainty(change)}",
        heading=task_title(change.group.task),
    )


def _certainty(change: Change) -> str:
    p_value = change.difference.p_value
    return "one seed" if p_value is None else f"p = {p_value:.2g}"


def rules_forest(key: Group, lines: Mapping[Line, Sequence[RunSummary]]) -> Forest:
    """The rules of one group side by side: mean score, its interval, and what a run of it cost in time."""
    group = [run for runs in lines.values() for run in runs]
    split, score = scored_split(key, group), group[0].scores[0].score
    return Forest(
        title=f"{group_name(key)}: {metric_title(key.metric)} by rule",
        axis=f"{split} {metric_title(key.metric)} ({better_direction(score)} is better)",
        rows=tuple(_rule_row(key.metric, split, line, runs) for line, runs in lines.items()),
    )


def _rule_row(metric: str, split: str, line: Line, runs: Sequence[RunSummary]) -> ForestRow:
    pooled = pool_score(runs, split, metric)
    mean, margin, values = (pooled.mean, pooled.margin, pooled.values) if pooled else (math.nan, None, ())
    return ForestRow(
        label=short_name(line),
        mean=mean,
        low=None if margin is None else mean - margin,
        high=None if margin is None else mean + margin,
        said=mean_text(metric, pooled) or f"no {split} score",
        details=_minutes(runs),
        values=values,
    )


def short_name(line: Line) -> str:
    """A line's name without that of a setting whose value tells what it is: ``show-tell``, but ``epochs=39``."""
    parts = [part.partition("=") for part in (line.settings or "").split(" ")]
    told = [value if _TELLING.fullmatch(value) else "".join((key, mark, value)) for key, mark, value in parts]
    return line_name(line._replace(settings=", ".join(filter(None, told)) or None))


_TELLING = re.compile(r"(?!(?:yes|no|true|false|none|auto|run)$)[a-z][a-z0-9-]+", re.IGNORECASE)


def _minutes(runs: Sequence[RunSummary]) -> str:
    seconds = [run.train_seconds for run in runs if run.train_seconds]
    if not seconds:
        return ""
    minutes = sum(seconds) / len(seconds) / 60
    return f"{minutes:.0f} min" if minutes >= 10 else f"{minutes:.1f} min"


def group_name(key: Group) -> str:
    """``ptb, small``."""
    return f"{shown_path(key.data)}, {key.size}"


def groups_of(runs: Sequence[RunSummary]) -> list[Forest]:
    """The rules of every group, in reading order."""
    return [rules_forest(key, lines_of(group)) for key, group in in_reading_order(runs).items()]
