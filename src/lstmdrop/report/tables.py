"""The tables that runs make: of all runs, of their scores, of the rules beside each other, of what dropout changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lstmdrop.report.runs import RunSummary, names_below, shown_path
from lstmdrop.report.scores import (
    Pooled,
    better_direction,
    difference,
    difference_text,
    gap_text,
    mean_text,
    measured,
    pool_gap,
    pool_score,
    setting,
    signature_notes,
    signatures,
    telling_settings,
)
from lstmdrop.report.table import Cell, Column, Note, Table

_RUN_COLUMNS = (
    Column("what", is_text=True),
    Column("value", decimals=None),
    Column("better", is_text=True, rank=1),
    Column("signature", is_text=True),
)


def run_table(summary: RunSummary) -> Table:
    """One run in full: what it was, and every score with its signature."""
    names = ("task", "data", "size", "regularizer", "dropout", "recurrent_dropout", "seed", "num_models")
    costs = ("num_parameters", "epochs", "train_seconds", "tokens_per_second")
    facts = [(name, getattr(summary, name)) for name in (*names, "start", "changes", *costs)]
    scores = [(f"{entry.split} {entry.score.name}", entry.score) for entry in summary.scores]
    return Table(
        title=f"Run {shown_path(str(summary.directory))}",
        columns=_RUN_COLUMNS,
        rows=(
            *((name, score.value, better_direction(score), score.signature) for name, score in scores),
            *((name, value, None, None) for name, value in facts if value is not None),
        ),
        notes=tuple(Note(f"{name}:", value) for name, value in summary.provenance.items()),
    )


_LIST_COLUMNS = (
    Column("run", is_text=True),
    Column("rule", is_text=True, rank=2),
    Column("p", decimals=None, rank=2),
    Column("test"),
    Column("valid", rank=1),
    Column("metric", is_text=True, rank=1),
    Column("gap", is_signed=True, rank=4),
    Column("seed", rank=3),
    Column("epochs", rank=5),
    Column("minutes", decimals=1, rank=5),
    *(Column(name, is_text=True, rank=7) for name in ("task", "data", "size")),
    Column("models", rank=6),
    Column("parameters", rank=8),
    Column("version", is_text=True, rank=9),
)


def run_list(runs: Sequence[RunSummary]) -> Table:
    """Every run with its first score on the validation and test splits."""
    folder, names = names_below(runs)
    title = f"All runs in {folder}" if runs else "All runs"
    return Table(title, _LIST_COLUMNS, tuple(_list_row(run, names[run.directory]) for run in runs))


def _list_row(run: RunSummary, name: str) -> tuple[Cell, ...]:
    metric = run.scores[0].score.name if run.scores else None
    found = [run.score(split, metric) if metric else None for split in ("valid", "test")]
    valid, test = (measured(score.name, score.value) if score else None for score in found)
    gap = measured(run.gap.metric, run.gap.value) if run.gap else None
    minutes = None if run.train_seconds is None else run.train_seconds / 60
    if run.adaptation:
        metric = f"{metric} ({', '.join(run.adaptation)})"
    made = " ".join(run.provenance[key] for key in ("version", "git") if key in run.provenance)
    return (
        name, run.regularizer, run.dropout, test, valid, metric, gap, run.seed, run.epochs, minutes,
        run.task, shown_path(run.data), run.size, run.num_models, run.num_parameters, made or None,
    )  # fmt: skip


_RULE_COLUMNS = (
    *(Column(name, is_text=True, is_heading=True) for name in ("task", "data", "size", "metric")),
    Column("rule", is_text=True),
    Column("p", decimals=None),
    Column("recurrent p", decimals=None, rank=1),
    Column("models", rank=1),
    Column("other settings", is_text=True, rank=1),
    Column("seeds"),
)
_GAP_COLUMNS = (
    Column("gap", is_signed=True, rank=2),
    Column("gap ±", rank=8),
    Column("gap metric", is_text=True, rank=2),
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
        how = (signatures(runs, split, key.metric) for split in splits)
        yield (*cells, *_gap_cells(runs), *how)


def _gap_cells(runs: Sequence[RunSummary]) -> Iterator[Cell]:
    gap, names = pool_gap(runs), list(dict.fromkeys(run.gap.metric for run in runs if run.gap))
    yield from (_cell(names[0], value) for value in (gap.mean, gap.margin)) if gap else (None, None)
    yield " or ".join(names) or None


def _cell(metric: str, value: float | None) -> Cell:
    return None if value is None else measured(metric, value)


def _score_cells(runs: Sequence[RunSummary], plain: Sequence[RunSummary], split: str, metric: str) -> Iterator[Cell]:
    ours, none = pool_score(runs, split, metric), pool_score(plain, split, metric)
    change = difference(ours, none) if ours and none else None
    yield from (_cell(metric, value) for value in (ours.mean, ours.margin)) if ours else (None, None)
    yield from (_cell(metric, value) for value in (change.value, change.margin)) if change else (None, None)
    yield change.p_value if change else None


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
    yield from gap_remarks([run for group in groups.values() for run in group])


def gap_remarks(runs: Iterable[RunSummary]) -> Iterable[Note]:
    """Of which score the generalisation gap is, and how that on the training data was made."""
    gaps = dict.fromkeys(run.gap for run in runs if run.gap)
    for metric in dict.fromkeys(gap.metric for gap in gaps):
        noisy = any(gap.with_dropout for gap in gaps if gap.metric == metric)
        how = ", dropout on, as the epoch ran" if noisy else ""
        yield Note(f"gap: training minus validation {metric} of the weights that were kept (training{how}).")


_CHANGE_COLUMNS = (
    *(Column(name, is_text=True) for name in ("task, data, size", "score", "rule, p")),
    Column("seeds"),
    Column("validation"),
    *(Column(name, is_text=True) for name in ("test", "change", "gap")),
)
_REMARK = (
    "Means over seeds, ± half of the 95% confidence interval; change: of the test score from the rule none, with the "
    "p-value of Welch's t-test; gap: training minus validation."
)


def short_table(runs: Sequence[RunSummary]) -> Table:
    """One line a rule: validation and test score, what changed, the generalisation gap."""
    rows = [row for key, group in grouped(runs).items() for row in _rows(key, group)]
    return Table("What dropout changes", _CHANGE_COLUMNS, tuple(rows), (Note(_REMARK),))


def _rows(key: Group, group: Sequence[RunSummary]) -> Iterator[tuple[Cell, ...]]:
    lines = lines_of(group)
    direction = better_direction(group[0].scores[0].score)
    for line, runs in lines.items():
        valid, test = (pool_score(runs, split, key.metric) for split in ("valid", "test"))
        experiment, score = f"{key.task}, {key.data}, {key.size}", f"{key.metric} ({direction} is better)"
        change = _change(lines, line, test, key.metric)
        numbers = (len({run.seed for run in runs}), _cell(key.metric, valid.mean) if valid else None)
        gap = gap_text(runs, key.metric)
        yield (experiment, score, line_name(line), *numbers, mean_text(key.metric, test), change, gap)


def _change(lines: dict[Line, list[RunSummary]], line: Line, test: Pooled | None, metric: str) -> str:
    plain = pool_score(lines.get(line.without_dropout, []), "test", metric)
    if line == line.without_dropout or test is None or plain is None:
        return ""
    changed = difference(test, plain)
    p_value = "" if changed.p_value is None else f" (p = {changed.p_value:.2g})"
    return f"{difference_text(metric, changed)}{p_value}"
