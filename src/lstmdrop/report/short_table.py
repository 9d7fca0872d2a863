"""The regularisation table in a few columns, for a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lstmdrop.report.rule_table import Group, Line, grouped, line_name, lines_of
from lstmdrop.report.scores import better_direction
from lstmdrop.report.seeds import Difference, Pooled, difference, pool_gap, pool_score
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Cell, Column, Note, Table

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
        numbers = (len({run.seed for run in runs}), valid.mean if valid else None)
        yield (experiment, score, line_name(line), *numbers, _mean(test), change, _gap(runs, key.metric))


def _gap(runs: Sequence[RunSummary], metric: str) -> str:
    """Of the score that the line is about, or of another one, which is then named."""
    others = dict.fromkeys(run.gap.metric for run in runs if run.gap and run.gap.metric != metric)
    return " ".join(filter(None, [_mean(pool_gap(runs)), *others]))


def _change(lines: dict[Line, list[RunSummary]], line: Line, test: Pooled | None, metric: str) -> str:
    plain = pool_score(lines.get(line.without_dropout, []), "test", metric)
    if line == line.without_dropout or test is None or plain is None:
        return ""
    return _difference(difference(test, plain))


def _difference(change: Difference) -> str:
    p_value = "" if change.p_value is None else f" (p = {change.p_value:.2g})"
    margin = "" if change.margin is None else f" ± {change.margin:.2f}"
    return f"{change.value:+.2f}{margin}{p_value}"


def _mean(pooled: Pooled | None) -> str:
    if pooled is None:
        return ""
    return f"{pooled.mean:.2f}" + ("" if pooled.margin is None else f" ± {pooled.margin:.2f}")
