"""Tables of results, before they are formatted."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lstmdrop.metrics.score import Score
from lstmdrop.report.paper import TABLE_1, PaperRow, PaperTable
from lstmdrop.report.summary import RunSummary

Cell = str | int | float | None
"""A number keeps its value; None where there is nothing to say."""

NOT_RUN = "not run"
# Settings that change no result, and those that a line of a table states itself
_NEUTRAL = ("seed", "training.log_every", "training.save_minutes", "regularizer.")


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how its numbers are written."""

    name: str
    decimals: int | None = 2
    """Of numbers that are not whole; None for as many as needed, six digits at most."""
    is_signed: bool = False
    is_text: bool = False
    is_heading: bool = False
    """Rows that agree in all such columns are one block, which these cells head."""
    rank: int = 0
    """Where space is short the highest rank goes first; 0 never goes."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark under a table; ``code`` is a signature or a shell command, to be kept verbatim."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Typed cells under a title."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Note, ...] = ()


_RULE_COLUMNS = (
    *(Column(name, is_text=True, is_heading=True) for name in ("task", "data", "size", "metric")),
    Column("rule", is_text=True),
    Column("p", decimals=None),
    Column("recurrent p", decimals=None, rank=2),
    Column("models", rank=2),
    Column("other settings", is_text=True, rank=1),
    Column("seeds"),
)
_RUN_COLUMNS = (
    Column("what", is_text=True),
    Column("value", decimals=None),
    Column("better", is_text=True, rank=1),
    Column("signature", is_text=True),
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


@dataclass(frozen=True, slots=True)
class _Pooled:
    """A score over seeds; the deviation is the sample's, None for one seed."""

    mean: float
    deviation: float | None


def paper_table(summaries: Iterable[RunSummary], paper: PaperTable = TABLE_1) -> Table:
    """The paper's values beside ours; several seeds of one recipe count as their mean.

    A row that nothing matches says so, and its note gives the command.
    """
    runs = list(summaries)
    matched = [(row, [run for run in runs if row.target.matches(run)]) for row in paper.rows]
    scores = {(column.split, column.metric) for column in paper.columns}
    remarks = ("diff: ours minus the paper's; ours is the mean where several seeds were run.", *paper.notes)
    return Table(
        title=paper.title,
        columns=(Column("model", is_text=True), *_paper_columns(paper), Column("seeds", rank=2)),
        rows=tuple(_paper_cells(row, found, paper) for row, found in matched),
        notes=(
            *(Note(remark) for remark in remarks),
            *_signature_notes([run for _, found in matched for run in found], scores),
            *(note for row, found in matched for note in _row_notes(row, found)),
        ),
    )


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
        notes=(*_rule_remarks(groups), *_signature_notes(runs, scores)),
    )


def run_table(summary: RunSummary) -> Table:
    """One run in full: what it was, and every score with its signature."""
    names = ("task", "data", "size", "regularizer", "dropout", "recurrent_dropout", "seed", "num_models")
    costs = ("num_parameters", "epochs", "train_seconds", "tokens_per_second")
    facts = [(name, getattr(summary, name)) for name in (*names, *costs)]
    scores = [(f"{entry.split} {entry.score.name}", entry.score) for entry in summary.scores]
    return Table(
        title=f"Run {summary.directory}",
        columns=_RUN_COLUMNS,
        rows=(
            *((name, score.value, _direction(score), score.signature) for name, score in scores),
            *((name, value, None, None) for name, value in facts if value is not None),
        ),
        notes=tuple(Note(f"{name}:", value) for name, value in summary.provenance.items()),
    )


def _paper_columns(paper: PaperTable) -> list[Column]:
    columns: list[Column] = []
    for column in paper.columns:
        is_last = column is paper.columns[-1]
        columns.append(Column(f"{column.label} paper", rank=0 if is_last else 1))
        columns.append(Column(f"{column.label} ours", rank=0 if is_last else 1))
        columns.append(Column(f"{column.label} diff", is_signed=True, rank=0 if is_last else 3))
    return columns


def _paper_cells(row: PaperRow, runs: Sequence[RunSummary], paper: PaperTable) -> tuple[Cell, ...]:
    cells: list[Cell] = [row.label]
    for value, column in zip(row.values, paper.columns, strict=True):
        ours = _pool(runs, column.split, column.metric)
        cells += [value, ours.mean, ours.mean - value] if ours else [value, None if runs else NOT_RUN, None]
    return (*cells, len({run.seed for run in runs}))


def _row_notes(row: PaperRow, runs: Sequence[RunSummary]) -> Iterable[Note]:
    if not runs:
        yield Note(f"{row.label}, not run:", row.command)
    paper = row.target.epochs
    others = sorted({run.epochs for run in runs if run.epochs is not None} - {paper})
    if paper is not None and others:
        yield Note(f"{row.label}: ours ran {', '.join(map(str, others))} epochs, the paper's {paper}.")
    if differing := _differing(runs):
        yield Note(f"{row.label}: the mean is over runs that differ in {', '.join(differing)}.")


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
            ours, none = _pool(runs, split, key.metric), _pool(plain, split, key.metric)
            change = ours.mean - none.mean if ours and none else None
            cells += [ours.mean, ours.deviation, change] if ours else [None, None, None]
        yield tuple(cells)


def _lines(group: Sequence[RunSummary]) -> dict[_Line, list[RunSummary]]:
    keys = _differing(group)
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
    directions = {key.metric: _direction(group[0].scores[0].score) for key, group in groups.items()}
    for metric, direction in directions.items():
        yield Note(f"{metric}: {direction} is better.")


def _pool(runs: Iterable[RunSummary], split: str, metric: str) -> _Pooled | None:
    """The mean over seeds; a seed that was run twice counts once, with its mean."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        if score := run.score(split, metric):
            by_seed[run.seed].append(score.value)
    values = [statistics.fmean(values) for values in by_seed.values()]
    if not values:
        return None
    has_deviation = len(values) > 1 and all(map(math.isfinite, values))
    return _Pooled(statistics.fmean(values), statistics.stdev(values) if has_deviation else None)


def _direction(score: Score) -> str:
    return "higher" if score.higher_is_better else "lower"


def _signature_notes(runs: Iterable[RunSummary], scores: Collection[tuple[str, str]]) -> Iterable[Note]:
    """How the numbers of a table were made; more than one way for one number is worth a warning."""
    names: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for entry in run.scores:
            if (entry.split, entry.score.name) in scores:
                what = f"{run.task} {run.data} {entry.split} {entry.score.name}"
                # Every line states its number of models, so that alone makes no second way
                names[what][re.sub(r"\|?\bmodels:\d+", "", entry.score.signature)].append(run.directory.name)
    for what, signatures in names.items():
        for number, (signature, directories) in enumerate(signatures.items(), start=1):
            which = f", way {number} of {len(signatures)} ({', '.join(directories)})"
            yield Note(f"{what}{which if len(signatures) > 1 else ''}:", signature)


def _differing(runs: Iterable[RunSummary]) -> list[str]:
    """The settings in which runs differ besides rule and seed; one that a run does not know has no say."""
    values: dict[str, list[object]] = defaultdict(list)
    for run in runs:
        for key, value in run.settings.items():
            if not key.startswith(_NEUTRAL) and value not in values[key]:
                values[key].append(value)
    return sorted(key for key, known in values.items() if len(known) > 1)
