"""A comparison as a table."""

from __future__ import annotations

from lstmdrop.commands.compare import SIGNIFICANT, ComparedScore, Comparison
from lstmdrop.report.scores import better_direction
from lstmdrop.report.table import Cell, Column, Note, Table

_COLUMNS = (
    Column("test score", is_text=True),
    Column("A"),
    Column("B"),
    Column("B minus A", is_signed=True),
    Column("95% from", is_signed=True, rank=2),
    Column("95% to", is_signed=True, rank=2),
    Column("p bootstrap", decimals=None, significant=2, rank=1),
    Column("p randomisation", decimals=None, significant=2),
    Column("better", is_text=True),
    Column("signature A", is_text=True, for_programs=True),
    Column("signature B", is_text=True, for_programs=True),
)


def comparison_table(comparison: Comparison) -> Table:
    """One line a score; the notes say what A and B are and how the numbers were made."""
    how = (
        f"95% and p bootstrap: paired bootstrap, {comparison.num_resamples:,} resamples; p randomisation: paired "
        f"approximate randomisation, {comparison.num_shuffles:,} shuffles; seed {comparison.seed}. "
        f"better: where both p are under {SIGNIFICANT:g}."
    )
    return Table(
        title="Two runs on the same test data",
        columns=_COLUMNS,
        rows=tuple(_row(score) for score in comparison.scores),
        notes=(
            Note("A:", str(comparison.first)),
            Note("B:", str(comparison.second)),
            *([Note("A and B are the same run.")] if comparison.first.samefile(comparison.second) else []),
            Note(how),
            *(note for score in comparison.scores for note in _signatures(score)),
            *(Note(f"left out: {line}") for line in comparison.left_out),
        ),
    )


def _row(score: ComparedScore) -> tuple[Cell, ...]:
    first, second = score.first, score.second
    better = "neither" if not score.is_significant else "B" if second.is_better_than(first) else "A"
    bounds = (score.bootstrap.low, score.bootstrap.high, score.bootstrap.p_value, score.p_randomisation)
    made = (first.signature, second.signature)
    return (first.name, first.value, second.value, score.difference, *bounds, better, *made)


def _signatures(score: ComparedScore) -> list[Note]:
    what = f"{score.first.name} ({better_direction(score.first)} is better)"
    if score.first.signature == score.second.signature:
        return [Note(f"{what}:", score.first.signature)]
    return [Note(f"{what}, A:", score.first.signature), Note(f"{what}, B:", score.second.signature)]
