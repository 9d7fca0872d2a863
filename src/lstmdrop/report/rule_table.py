"""What dropout changed: each rule beside none with the same other settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lstmdrop.report.scores import better_direction, differing_settings, pool, signature_notes
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Cell, Column, Note, Table

_RULE_COLUMNS = (
    *(Column(name, is_text=True, is_heading=True) for name in ("task", "data", "size", "metric")),
    Column("rule", is_text=True),
    Column("p", decimals=None),
    Column("recurrent p", decimals=None, rank=2),
    Column("models", rank=2),
    Column("other settings", is_text=True, rank=1),
    Column("seeds"),
)


class _Group(NamedTuple):
    """What runs share whose rules are compared."""

    task: str
    data: str
    size: str
    metric: str


class _Line(NamedTuple):
    """What runs share that differ in nothing but their seed."""

    rule: str
    dropout: float | None
    recurrent_dropout: float | None
    num_models: int
    settings: str | None
    """Those that are not the same in all runs of the group, as ``key=value``."""


def rule_table(summaries: Iterable[RunSummary]) -> Table:
    """What dropout changed: one line per rule and p, for each task, dataset and size.

    The metric is the first that a run scores, which is the one that chose its checkpoint.
    """
    groups = _grouped(summaries)
    runs = [run for group in groups.values() for run in group]
    metrics = {key.metric for key in groups}
    scores = {(e.split, e.score.name) for run in runs for e in run.scores if e.score.name in metrics}
    splits = sorted({split for split, _ in scores}, key=lambda split: (split == "test", split))
    score_columns = [column for split in splits for column in _split_columns(split, splits[-1])]
    return Table(
        title="What dropout changed",
        columns=(*_RULE_COLUMNS, *score_columns),
        rows=tuple(row for key, group in groups.items() for row in _rule_rows(key, group, splits)),
        notes=(*_rule_remarks(groups), *signature_notes(runs, scores)),
    )


def _grouped(summaries: Iterable[RunSummary]) -> dict[_Group, list[RunSummary]]:
    groups: dict[_Group, list[RunSummary]] = defaultdict(list)
    for run in summaries:
        if run.scores:
            groups[_Group(run.task, run.data, run.size, run.scores[0].score.name)].append(run)
    smallest = {key: min(run.num_parameters or 0 for run in group) for key, group in groups.items()}
    order = sorted(groups, key=lambda key: (key.task, key.data, smallest[key], key))
    return {key: groups[key] for key in order}


def _split_columns(split: str, last: str) -> tuple[Column, ...]:
    is_last = split == last
    return (
        Column(split, rank=0 if is_last else 3),
        Column(f"{split} sd", rank=4 if is_last else 5),
        Column(f"{split} diff", is_signed=True, rank=0 if is_last else 6),
    )


def _rule_rows(key: _Group, group: Sequence[RunSummary], splits: Sequence[str]) -> Iterable[tuple[Cell, ...]]:
    lines = _lines(group)
    for line, runs in lines.items():
        none_line = line._replace(rule="none", dropout=None, recurrent_dropout=None)
        plain = lines.get(none_line, []) if line != none_line else []
        cells: list[Cell] = [*key, *line, len({run.seed for run in runs})]
        for split in splits:
            ours, none = pool(runs, split, key.metric), pool(plain, split, key.metric)
            change = ours.mean - none.mean if ours and none else None
            cells += [ours.mean, ours.deviation, change] if ours else [None, None, None]
        yield tuple(cells)


def _lines(group: Sequence[RunSummary]) -> dict[_Line, list[RunSummary]]:
    keys = differing_settings(group)
    lines: dict[_Line, list[RunSummary]] = defaultdict(list)
    for run in group:
        settings = " ".join(f"{key.rpartition('.')[2]}={run.settings.get(key, '?')}" for key in keys) or None
        lines[_Line(run.regularizer, run.dropout, run.recurrent_dropout, run.num_models, settings)].append(run)
    return {line: lines[line] for line in sorted(lines, key=_order)}


def _order(line: _Line) -> tuple[str, int, bool, str, float, float]:
    rates = (line.dropout or 0.0, line.recurrent_dropout or 0.0)
    return (line.settings or "", line.num_models, line.rule != "none", line.rule, *rates)


def _rule_remarks(groups: Mapping[_Group, Sequence[RunSummary]]) -> Iterable[Note]:
    yield Note("Means over seeds; sd: their standard deviation; diff: from none with the same other settings.")
    directions = {key.metric: better_direction(group[0].scores[0].score) for key, group in groups.items()}
    for metric, direction in directions.items():
        yield Note(f"{metric}: {direction} is better.")
