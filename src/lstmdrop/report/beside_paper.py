"""The paper's values beside what our runs reached."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lstmdrop.plugin import find_preset, load_plugin, sizes
from lstmdrop.presets import every_setting, resolve
from lstmdrop.report.paper import PUBLISHED, TABLE_1, PaperColumn, PaperRow, PaperTable
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import differing_settings, mean_text, pool_score, setting, signature_notes, signatures
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


_HEADLINE = (
    Column("Penn Treebank", is_text=True), Column("paper, test"), Column("ours, test", is_text=True), Column("runs"),
    Column("hours"),
)  # fmt: skip


def headline_table(summaries: Iterable[RunSummary]) -> Table:
    """Table 1's single models, the averages that were run, and under them the presets that came after the paper.

    Of such a preset there is a line for what it was trained to, and one for each way in which it learnt from the text
    as it was scored.
    """
    runs = [run for run in summaries if run.task == "lm" and run.data == "ptb"]
    rows: list[tuple[Cell, ...]] = []
    num_unrun = 0
    for row in TABLE_1.rows:
        found = matching(row, runs)
        if found or (row.target and row.target.num_models == 1):
            rows.append((row.label, row.values[-1], *_headline_cells(found)))
        else:
            num_unrun += 1
    for name, found in _after_the_paper(runs).items():
        rows.append((name, None, *_headline_cells(found)))
    remarks = (
        [_HEADLINE_REMARK, f"{num_unrun} averages of the paper have not been run."] if num_unrun else [_HEADLINE_REMARK]
    )
    return Table("The paper's rows, and below", _HEADLINE, tuple(rows), tuple(map(Note, remarks)))


_HEADLINE_REMARK = (
    "Test perplexity, the mean over seeds ± half of its 95% interval; hours: of training one, on the machine that its "
    "result.json names."
)


def _headline_cells(runs: Sequence[RunSummary]) -> tuple[Cell, ...]:
    test = pool_score(runs, "test", "perplexity")
    hours = [run.train_seconds / 3600 for run in runs if run.train_seconds]
    told = mean_text("perplexity", test) if test else NOT_RUN
    return told, len({run.seed for run in runs}), statistics.fmean(hours) if hours else None


def _after_the_paper(runs: Sequence[RunSummary]) -> dict[str, list[RunSummary]]:
    papers = {row.target.size for row in TABLE_1.rows if row.target}
    found: dict[str, list[RunSummary]] = defaultdict(list)
    for run in runs:
        if run.size in papers or not run.num_parameters or not _is_preset(run):
            continue
        models = f", {run.num_models} models" if run.num_models > 1 else ""
        learning = f", {' and '.join(run.adaptation)} at test time" if run.adaptation else ""
        found[f"{run.size}, {run.num_parameters / 1e6:.1f} M parameters{models}{learning}"].append(run)
    return dict(sorted(found.items(), key=lambda item: -_mean_test(item[1])))


def _is_preset(run: RunSummary) -> bool:
    """Whether it was trained by the recipe of its size, in every setting that the preset names."""
    plugin = load_plugin(run.task)
    if run.size not in sizes(plugin):
        return False
    recipe = every_setting(resolve(plugin.config, [find_preset(plugin, run.size)]))
    wanted = {key: value for key, value in recipe.items() if key.startswith(("model.", "training.", "regularizer."))}
    neutral = {
        "training.log_every",
        "training.save_minutes",
        "training.kernel",
        "training.replay",
        "training.precision",
    }
    return all(setting(run, key) == value for key, value in wanted.items() if key not in neutral)


def _mean_test(runs: Sequence[RunSummary]) -> float:
    test = pool_score(runs, "test", "perplexity")
    return test.mean if test else math.inf
