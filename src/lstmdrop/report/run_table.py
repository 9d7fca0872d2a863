"""One run in full."""

from __future__ import annotations

from lstmdrop.report.scores import better_direction
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Column, Note, Table

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
    facts = [(name, getattr(summary, name)) for name in (*names, *costs)]
    scores = [(f"{entry.split} {entry.score.name}", entry.score) for entry in summary.scores]
    return Table(
        title=f"Run {summary.directory}",
        columns=_RUN_COLUMNS,
        rows=(
            *((name, score.value, better_direction(score), score.signature) for name, score in scores),
            *((name, value, None, None) for name, value in facts if value is not None),
        ),
        notes=tuple(Note(f"{name}:", value) for name, value in summary.provenance.items()),
    )
