"""The paper's values beside what our runs reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lstmdrop.report.paper import PUBLISHED, TABLE_1, PaperColumn, PaperRow, PaperTable
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import differing_settings, pool_score, signature_notes, signatures
from lstmdrop.report.table import Cell, Column, Note, Table

NOT_RUN = "not run"
NOT_OURS = "not ours"
_DIFFERENCE = "diff: ours minus the paper's; ours is the mean where several seeds were run."


def paper_table(summaries: Iterable[RunSummary], paper: PaperTable = TABLE_1) -> Table:
    """The paper's values beside ours; several seeds of one recipe count as their mean.

    A row that nothing matches says so, and its note gives the command.
    """
    runs = list(summaries)
    matched = [(row, matching(row, runs)) for row in paper.rows]
    scores = {(column.split, column.metric) for column in paper.columns}
    return Table(
        title=paper.title,
        columns=(Column("model", is_text=True), *_paper_columns(paper), Column("seeds", rank=2), *_FOR_PROGRAMS),
        rows=tuple(_paper_cells(row, found, paper) for row, found in matched),
        notes=(
            *(Note(remark) for remark in (_DIFFERENCE, *paper.notes)),
            *signature_notes([run for _, found in matched for run in found], scores),
            *(note for row, found in matched for note in _row_notes(row, found)),
        ),
    )


def published_table(summaries: Iterable[RunSummary]) -> Table:
    """The five published numbers beside ours."""
    runs = list(summaries)
    rows: list[tuple[Cell, ...]] = []
    notes = [Note(_DIFFERENCE)]
    for label, paper, row_number, column_number in PUBLISHED:
        row, column = paper.rows[row_number], paper.columns[column_number]
        found = matching(row, runs)
        cells = _value_cells(row, row.values[column_number], column, found)
        how = signatures(found, column.split, column.metric)
        rows.append((label, *cells, len({run.seed for run in found}), how, row.command))
        if not found:
            notes.append(Note(f"{label}{_UNRUN}", row.command))
        notes += signature_notes(found, {(column.split, column.metric)})
    columns = (Column("paper"), Column("ours"), Column("diff", is_signed=True), Column("seeds", rank=1), *_FOR_PROGRAMS)
    title = "The paper's five published results"
    return Table(title, (Column("result", is_text=True), *columns), tuple(rows), tuple(dict.fromkeys(notes)))


def split_unrun(table: Table) -> tuple[Table, Table]:
    """The rows that runs of ours stand beside, and those that wait for one, each with its command.

    What another system reached goes with the first, if there are any.
    """
    is_unrun = [NOT_RUN in row for row in table.rows]
    nothing_run = not any(isinstance(cell, float) for row in table.rows for cell in _ours(table, row))
    waiting = [row for row, unrun in zip(table.rows, is_unrun, strict=True) if unrun or nothing_run]
    kept = [row for row in table.rows if row not in waiting]
    notes = tuple(note for note in table.notes if not note.text.endswith(_UNRUN))
    shown = [index for index, column in enumerate(table.columns) if column.name.split()[-1] in ("paper", "command")]
    columns = [replace(table.columns[index], for_programs=False) for index in shown]
    unrun = Table(
        title=f"{table.title}: not run" if nothing_run else f"{table.title.partition(':')[0]}: rows not run",
        columns=(table.columns[0], *(replace(column, is_whole=column.is_text) for column in columns)),
        rows=tuple((row[0], *(row[index] for index in shown)) for row in waiting),
        notes=tuple(note for note in notes if note.text != _DIFFERENCE) if nothing_run else (),
    )
    return replace(table, rows=tuple(kept), notes=() if nothing_run else notes), unrun


def _ours(table: Table, row: Sequence[Cell]) -> Iterator[Cell]:
    return (cell for cell, column in zip(row, table.columns, strict=True) if column.name.split()[-1] == "ours")


_UNRUN = ", not run:"
_FOR_PROGRAMS = tuple(Column(name, is_text=True, for_programs=True) for name in ("signature", "command"))


def matching(row: PaperRow, runs: Iterable[RunSummary]) -> list[RunSummary]:
    """The runs that stand beside a row: those of its recipe on its dataset, and no others."""
    return [run for run in runs if row.target and row.target.matches(run)]


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
        cells += _value_cells(row, value, column, runs)
    made = (signatures(runs, column.split, column.metric) for column in paper.columns)
    return (*cells, len({run.seed for run in runs}), "; ".join(dict.fromkeys(filter(None, made))), row.command)


def _value_cells(
    row: PaperRow, value: float | None, column: PaperColumn, runs: Sequence[RunSummary]
) -> tuple[Cell, Cell, Cell]:
    if row.target is None:
        return value, NOT_OURS, None
    if not runs:
        return value, NOT_RUN, None
    ours = pool_score(runs, column.split, column.metric)
    if ours is None:
        return value, None, None
    return value, ours.mean, None if value is None else ours.mean - value


def _row_notes(row: PaperRow, runs: Sequence[RunSummary]) -> Iterator[Note]:
    if not runs and row.target:
        yield Note(f"{row.label}{_UNRUN}", row.command)
    paper = row.target.epochs if row.target else None
    others = sorted({run.epochs for run in runs if run.epochs is not None} - {paper})
    if paper is not None and others:
        yield Note(f"{row.label}: ours ran {', '.join(map(str, others))} epochs, the paper's {paper}.")
    if differing := differing_settings(runs):
        yield Note(f"{row.label}: the mean is over runs that differ in {', '.join(differing)}.")
