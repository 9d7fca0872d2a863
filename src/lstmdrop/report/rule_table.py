"""The regularisation table: each rule beside none with the same other settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lstmdrop.report.scores import better_direction, setting, signature_notes, signatures, telling_settings
from lstmdrop.report.seeds import difference, pool_gap, pool_score
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
_GAP_COLUMNS = (
    Column("gap", is_signed=True, rank=1),
    Column("gap ±", rank=8),
    Column("gap metric", is_text=True, rank=1),
)


class Group(NamedTuple):
    """What runs share whose rules are compared."""

    task: str
    data: str
    size: str
    metric: str


class Line(NamedTuple):
    """What runs share that differ in nothing but their seed."""

    rule: str
    dropout: float | None
    recurrent_dropout: float | None
    num_models: int
    settings: str | None
    """Those that are not the same in all runs of the group, as ``key=value``."""

    @property
    def without_dropout(self) -> Line:
        """The line that this one is compared with."""
        return self._replace(rule="none", dropout=None, recurrent_dropout=None)


def rule_table(summaries: Iterable[RunSummary]) -> Table:
    """What dropout changed: one line per rule and p, for each task, dataset and size.

    The metric is the first that a run scores, which is the one that chose its checkpoint.
    """
    groups = grouped(summaries)
    runs = [run for group in groups.values() for run in group]
    metrics = {key.metric for key in groups}
    scores = {(e.split, e.score.name) for run in runs for e in run.scores if e.score.name in metrics}
    splits = sorted({split for split, _ in scores} - {"train"}, key=lambda split: (split == "test", split))
    score_columns = [column for split in splits for column in _split_columns(split, splits[-1])]
    how = [Column(f"{split} signature", is_text=True, for_programs=True) for split in splits]
    return Table(
        title="What dropout changed",
        columns=(*_RULE_COLUMNS, *score_columns, *_GAP_COLUMNS, *how),
        rows=tuple(row for key, group in groups.items() for row in _rule_rows(key, group, splits)),
        notes=(*_rule_remarks(groups), *signature_notes(runs, scores)),
    )


def grouped(summaries: Iterable[RunSummary]) -> dict[Group, list[RunSummary]]:
    """Runs whose rules are compared, the smaller models first."""
    groups: dict[Group, list[RunSummary]] = defaultdict(list)
    for run in summaries:
        if run.scores:
            groups[Group(run.task, run.data, run.size, run.scores[0].score.name)].append(run)
    smallest = {key: min(run.num_parameters or 0 for run in group) for key, group in groups.items()}
    order = sorted(groups, key=lambda key: (key.task, key.data, smallest[key], key))
    return {key: groups[key] for key in order}


def lines_of(group: Sequence[RunSummary]) -> dict[Line, list[RunSummary]]:
    """The runs of a group by line, each ``none`` before the rules that are compared with it."""
    keys = telling_settings(group)
    lines: dict[Line, list[RunSummary]] = defaultdict(list)
    for run in group:
        settings = " ".join(f"{key.rpartition('.')[2]}={setting(run, key)}" for key in keys) or None
        lines[Line(run.regularizer, run.dropout, run.recurrent_dropout, run.num_models, settings)].append(run)
    return {line: lines[line] for line in sorted(lines, key=_order)}


def line_name(line: Line) -> str:
    """``zaremba 0.5, 10 models, epochs=39``."""
    rates = [format(rate, "g") for rate in (line.dropout, line.recurrent_dropout) if rate is not None]
    models = [f"{line.num_models} models"] if line.num_models > 1 else []
    return ", ".join([" ".join([line.rule, *rates]), *models, *([line.settings] if line.settings else [])])


def _split_columns(split: str, last: str) -> tuple[Column, ...]:
    is_last = split == last
    return (
        Column(split, rank=0 if is_last else 3),
        Column(f"{split} ±", rank=5 if is_last else 6),
        Column(f"{split} diff", is_signed=True, rank=0 if is_last else 6),
        Column(f"{split} diff ±", rank=4 if is_last else 7),
        Column(f"{split} p-value", decimals=None, significant=2, rank=2 if is_last else 7),
    )


def _rule_rows(key: Group, group: Sequence[RunSummary], splits: Sequence[str]) -> Iterable[tuple[Cell, ...]]:
    lines = lines_of(group)
    for line, runs in lines.items():
        plain = lines.get(line.without_dropout, []) if line != line.without_dropout else []
        cells: list[Cell] = [*key, *line, len({run.seed for run in runs})]
        for split in splits:
            cells += _score_cells(runs, plain, split, key.metric)
        gap = pool_gap(runs)
        measured = " or ".join(dict.fromkeys(run.gap.metric for run in runs if run.gap))
        how = (signatures(runs, split, key.metric) for split in splits)
        yield (*cells, *((gap.mean, gap.margin) if gap else (None, None)), measured or None, *how)


def _score_cells(runs: Sequence[RunSummary], plain: Sequence[RunSummary], split: str, metric: str) -> Iterator[Cell]:
    ours, none = pool_score(runs, split, metric), pool_score(plain, split, metric)
    change = difference(ours, none) if ours and none else None
    yield from (ours.mean, ours.margin) if ours else (None, None)
    yield from (change.value, change.margin, change.p_value) if change else (None, None, None)


def _order(line: Line) -> tuple[str, int, bool, str, float, float]:
    rates = (line.dropout or 0.0, line.recurrent_dropout or 0.0)
    return (line.settings or "", line.num_models, line.rule != "none", line.rule, *rates)


def _rule_remarks(groups: Mapping[Group, Sequence[RunSummary]]) -> Iterable[Note]:
    yield Note(
        "Means over seeds; ±: half of the 95% confidence interval (Student's t); diff: from none with the same other "
        "settings; p-value: of that difference (Welch's t-test). Both need two seeds or more."
    )
    directions = {key.metric: better_direction(group[0].scores[0].score) for key, group in groups.items()}
    for metric, direction in directions.items():
        yield Note(f"{metric}: {direction} is better.")
    gaps = dict.fromkeys(run.gap for group in groups.values() for run in group if run.gap)
    for metric in dict.fromkeys(gap.metric for gap in gaps):
        noisy = any(gap.with_dropout for gap in gaps if gap.metric == metric)
        how = ", dropout on, as the epoch ran" if noisy else ""
        yield Note(f"gap: training minus validation {metric} of the weights that were kept (training{how}).")
