"""The paper's values beside what our runs reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lstmdrop.report.paper import TABLE_1, PaperRow, PaperTable
from lstmdrop.report.scores import differing_settings, pool, signature_notes
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Cell, Column, Note, Table

NOT_RUN = "not run"


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
            *signature_notes([run for _, found in matched for run in found], scores),
            *(note for row, found in matched for note in _row_notes(row, found)),
        ),
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
        ours = pool(runs, column.split, column.metric)
        cells += [value, ours.mean, ours.mean - value] if ours else [value, None if runs else NOT_RUN, None]
    return (*cells, len({run.seed for run in runs}))


def _row_notes(row: PaperRow, runs: Sequence[RunSummary]) -> Iterable[Note]:
    if not runs:
        yield Note(f"{row.label}, not run:", row.command)
    paper = row.target.epochs
    others = sorted({run.epochs for run in runs if run.epochs is not None} - {paper})
    if paper is not None and others:
        yield Note(f"{row.label}: ours ran {', '.join(map(str, others))} epochs, the paper's {paper}.")
    if differing := differing_settings(runs):
        yield Note(f"{row.label}: the mean is over runs that differ in {', '.join(differing)}.")
