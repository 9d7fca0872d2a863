"""All runs, one a line."""

from __future__ import annotations

from collections.abc import Sequence

from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Cell, Column, Table

_LIST_COLUMNS = (
    *(Column(name, is_text=True) for name in ("run", "task", "data", "size", "rule")),
    Column("p", decimals=None),
    Column("seed"),
    Column("models"),
    Column("metric", is_text=True),
    Column("valid"),
    Column("test"),
    Column("gap", is_signed=True),
    Column("epochs"),
    Column("parameters"),
    Column("minutes", decimals=1),
    Column("version", is_text=True),
)


def run_list(runs: Sequence[RunSummary]) -> Table:
    """Every run with its first score on the validation and test splits."""
    return Table("All runs", _LIST_COLUMNS, tuple(_list_row(run) for run in runs))


def _list_row(run: RunSummary) -> tuple[Cell, ...]:
    metric = run.scores[0].score.name if run.scores else None
    found = [run.score(split, metric) if metric else None for split in ("valid", "test")]
    valid, test = (score.value if score else None for score in found)
    minutes = None if run.train_seconds is None else run.train_seconds / 60
    made = " ".join(run.provenance[key] for key in ("version", "git") if key in run.provenance)
    return (
        str(run.directory), run.task, run.data, run.size, run.regularizer, run.dropout, run.seed, run.num_models,
        metric, valid, test, run.gap.value if run.gap else None, run.epochs, run.num_parameters, minutes, made or None,
    )  # fmt: skip
