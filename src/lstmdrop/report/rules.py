"""What each dropout rule, or each piece of a recipe, does: experiments whose entries were trained alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from lstmdrop.errors import DataError
from lstmdrop.metrics.score import metric_title
from lstmdrop.parsing import document_lines
from lstmdrop.report.changes import Change
from lstmdrop.report.forest import Forest, ForestRow, change_row
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import (
    Pooled,
    better_direction,
    difference,
    differing_settings,
    mean_text,
    measured,
    pool_gap,
    pool_score,
    setting,
    telling_settings,
)
from lstmdrop.report.table import Cell, Column, Note, Table
from lstmdrop.report.tables import Group, Line, gap_remarks

KEPT_TRIES = "tries.jsonl"
"""Beside the runs of an experiment: what the settings that were tried scored on validation, one object a line."""
BASELINES = {"none": "Which rule", "base": "What each piece does"}
"""What the entry is called that others are compared with, and the title of such an experiment."""
FEWEST_ENTRIES = 3
"""Two are a pair, which the table of what dropout changed shows."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The runs of one experiment, by the entries of its grid."""

    directory: Path
    baseline: str
    entries: Mapping[str, Sequence[RunSummary]]
    """The baseline first, then the best on validation first."""
    tries: Sequence[Try]
    """The settings that each entry's were chosen from, as `KEPT_TRIES` has them."""

    @property
    def metric(self) -> str:
        """The score that is compared: the first, which chose each checkpoint."""
        return self.entries[self.baseline][0].scores[0].score.name

    @property
    def title(self) -> str:
        """What it shows, on which task and data."""
        run = self.entries[self.baseline][0]
        return f"{BASELINES[self.baseline]}: {run.task}, {run.data}"


def contests(summaries: Iterable[RunSummary]) -> list[Contest]:
    """The experiments among these runs: those of one folder, with a baseline and two entries or more beside it.

    Other seeds of an entry count wherever they lie: a run that there was already is not run, nor kept, again.

    Raises:
        DataError: what was kept of tries is damaged.
    """
    summaries = list(summaries)
    folders: dict[Path, dict[str, list[RunSummary]]] = defaultdict(lambda: defaultdict(list))
    for run in summaries:
        name, _, seed = run.directory.name.rpartition("-s")
        if run.scores and seed == str(run.seed):
            folders[run.directory.parent][name].append(run)
    return [
        Contest(folder, baseline, _in_order(_with_other_seeds(entries, summaries), baseline), read_tries(folder))
        for folder, entries in sorted(folders.items())
        for baseline in BASELINES
        if baseline in entries and len(entries) >= FEWEST_ENTRIES
    ]


def _with_other_seeds(
    entries: Mapping[str, Sequence[RunSummary]], everywhere: Sequence[RunSummary]
) -> dict[str, list[RunSummary]]:
    whole: dict[str, list[RunSummary]] = {}
    for name, runs in entries.items():
        seeds = {run.seed for run in runs}
        whole[name] = [
            *runs,
            *(other for other in everywhere if other.seed not in seeds and _are_alike(runs[0], other)),
        ]
    return whole


def _are_alike(run: RunSummary, other: RunSummary) -> bool:
    """Whether two runs differ in nothing but their seed."""
    facts = ("task", "data", "size", "regularizer", "num_models", "dropout", "recurrent_dropout", "adaptation")
    return all(getattr(run, fact) == getattr(other, fact) for fact in facts) and not differing_settings((run, other))


def _in_order(entries: Mapping[str, Sequence[RunSummary]], baseline: str) -> dict[str, Sequence[RunSummary]]:
    score = entries[baseline][0].scores[0].score

    def place(name: str) -> tuple[bool, float]:
        pooled = pool_score(entries[name], "valid", score.name)
        value = pooled.mean if pooled else float("nan")
        return name != baseline, -value if score.higher_is_better else value

    return {name: entries[name] for name in sorted(entries, key=place)}


class _Valid(TypedDict):
    value: float
    higher_is_better: bool


class Try(TypedDict):
    """Settings that were tried, and what they scored on validation."""

    rule: str
    set: list[str]
    valid: _Valid
    experiment_sha256: str


_TRY = TypeAdapter(Try)


def read_tries(folder: Path) -> list[Try]:
    """The tries that were kept beside the runs of an experiment, none where none were.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / KEPT_TRIES
    try:
        lines = document_lines(path) if path.exists() else ()
        return [_TRY.validate_json(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


_COLUMNS = (
    Column("entry", is_text=True),
    Column("seeds"),
    Column("valid"),
    Column("test"),
    Column("±"),
    Column("change", is_signed=True),
    Column("±", rank=1),
    Column("p-value", decimals=None, significant=2, rank=2),
    Column("gap", is_signed=True, rank=3),
    Column("settings", is_text=True),
)


def contest_table(contest: Contest) -> Table:
    """One line an entry: its settings, its scores over seeds, and what it changed."""
    runs = [run for group in contest.entries.values() for run in group]
    direction = better_direction(runs[0].scores[0].score)
    return Table(
        title=f"{contest.title}, {contest.metric} ({direction} is better)",
        columns=_COLUMNS,
        rows=tuple(_row(contest, name) for name in contest.entries),
        notes=(
            Note(
                "Means over seeds; ±: half of the 95% confidence interval (Student's t); change: from the first line; "
                "p-value: Welch's t-test."
            ),
            *gap_remarks(runs),
        ),
    )


def _row(contest: Contest, name: str) -> tuple[Cell, ...]:
    runs, plain = contest.entries[name], contest.entries[contest.baseline]
    valid, test = (pool_score(runs, split, contest.metric) for split in ("valid", "test"))
    before = pool_score(plain, "test", contest.metric)
    change = difference(test, before) if name != contest.baseline and test and before else None
    gap = pool_gap(runs)
    scores = (
        valid.mean if valid else None,
        *((test.mean, test.margin) if test else (None, None)),
        *((change.value, change.margin) if change else (None, None)),
    )
    return (
        name, len({run.seed for run in runs}),
        *(None if score is None else measured(contest.metric, score) for score in scores),
        change.p_value if change else None, gap.mean if gap else None,
        own_settings(contest, name),
    )  # fmt: skip


def own_settings(contest: Contest, name: str) -> str:
    """An entry's rates, and what else is not the same in all runs of the experiment."""
    (run, *_) = contest.entries[name]
    rates = {"p": run.dropout, "recurrent p": run.recurrent_dropout}
    everyone = [other for group in contest.entries.values() for other in group]
    others = {key.rpartition(".")[2].replace("_", " "): setting(run, key) for key in telling_settings(everyone)}
    told = {key: value for key, value in {**rates, **others}.items() if value not in (None, 0, 0.0)}
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in told.items()
    )


def contest_forest(contest: Contest) -> Forest:
    """What each entry changed: per cent of the baseline's test score, better to the right."""
    before = pool_score(contest.entries[contest.baseline], "test", contest.metric)
    rows = [_forest_row(contest, name, before) for name in contest.entries if name != contest.baseline and before]
    axis = f"← worse, in % of the {metric_title(contest.metric)} of {contest.baseline}, better →"
    return Forest(contest.title, axis, tuple(rows), reference=0.0)


def _forest_row(contest: Contest, name: str, before: Pooled) -> ForestRow:
    (run, *_) = runs = contest.entries[name]
    test = pool_score(runs, "test", contest.metric)
    group, line = Group(run.task, run.data, run.size, contest.metric), Line(name, None, None, 1, None)
    change = Change(group, line, test, before, run.scores[0].score.higher_is_better) if test else None
    if change is None or not change.can_be_told:
        return ForestRow(name, math.nan, said=mean_text(contest.metric, test) or "no test score")
    return replace(change_row(change), context="", heading="")


def tries_table(contest: Contest) -> Table:
    """What was tried for each entry, and how it did on validation with the one seed that chose."""
    columns = (
        Column("rule", is_text=True),
        Column("tried", is_text=True),
        Column("valid"),
        Column("taken", is_text=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for name in contest.entries:
        tried = [one for one in contest.tries if one["rule"] == name]
        common = set.intersection(*(set(one["set"]) for one in tried)) if tried else set()
        best = _best(tried)
        for one in tried:
            told = ", ".join(_short(setting) for setting in one["set"] if setting not in common)
            rows.append((name, told, one["valid"]["value"], "yes" if one is best else ""))
    return Table(f"What was tried. {contest.title}", columns, tuple(rows))


def _best(tried: Sequence[Try]) -> Try | None:
    if not tried:
        return None
    best = max if tried[0]["valid"]["higher_is_better"] else min
    return best(tried, key=lambda one: one["valid"]["value"])


def _short(override: str) -> str:
    """``dropout 0.5`` of ``regularizer.dropout=0.5``."""
    key, _, value = override.partition("=")
    return f"{key.rpartition('.')[2].replace('_', ' ')} {value}"
