"""Runs as rows that pandas, or any other table, can take."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.report import DEFAULT_DIRECTORY, report
from lstmdrop.report.summary import RunSummary

_FACTS = (
    "task", "data", "size", "regularizer", "dropout", "recurrent_dropout", "seed", "num_models", "num_parameters",
    "epochs", "train_seconds", "tokens_per_second",
)  # fmt: skip


def load_runs(*directories: str | Path) -> list[dict[str, Any]]:
    """One row for each finished run in ``directories`` (default: ``runs/``), all rows with the same columns.

    ``pandas.DataFrame(lstmdrop.load_runs("runs/"))`` makes a table of it. Scores are columns such as
    ``test_perplexity``, their signatures ``test_perplexity_signature``, settings their dotted keys
    (``training.epochs``). A run that cannot be read is left out with a warning.
    """
    made = report([Path(directory) for directory in directories] or [DEFAULT_DIRECTORY], papers=())
    for problem in made.problems:
        warnings.warn(f"left out: {problem}", stacklevel=2)
    return _same_columns([_row(run) for run in made.runs])


def _row(run: RunSummary) -> dict[str, Any]:
    row: dict[str, Any] = {"directory": str(run.directory), **{name: getattr(run, name) for name in _FACTS}}
    for entry in run.scores:
        name = f"{entry.split}_{entry.score.name}"
        row |= {name: entry.score.value, f"{name}_signature": entry.score.signature}
    if run.gap:
        row |= {"gap": run.gap.value, "gap_metric": run.gap.metric}
    settings = {key: value for key, value in run.settings.items() if key not in row}
    return {**row, **run.provenance, **settings}


def _same_columns(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names: Iterable[str] = dict.fromkeys(name for row in rows for name in row)
    ordered = list(names)
    return [{name: row.get(name) for name in ordered} for row in rows]
