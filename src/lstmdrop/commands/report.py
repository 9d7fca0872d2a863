"""Results of runs as tables, without printing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.errors import DataError
from lstmdrop.report.curves import Curves, read_curves
from lstmdrop.report.paper import PAPER_TABLES, PaperTable
from lstmdrop.report.paper_table import paper_table
from lstmdrop.report.rule_table import rule_table
from lstmdrop.report.run_files import read_summaries
from lstmdrop.report.run_table import run_table
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Table

DEFAULT_DIRECTORY = Path("runs")


@dataclass(frozen=True, slots=True)
class Report:
    """What the runs show."""

    tables: tuple[Table, ...]
    problems: tuple[str, ...]
    """One line about each run, or log of a run, that could not be shown."""
    curves: tuple[Curves, ...]
    """Of the runs that are scored by perplexity."""


def report(directories: Sequence[Path] = (), *, papers: Sequence[PaperTable] = PAPER_TABLES) -> Report:
    """The paper's tables beside our runs, what dropout changed, and a run in full where it is the only one.

    ``directories`` are runs or folders of runs, ``runs/`` where none is given. A run that cannot be read
    raises nothing: ``problems`` names it.
    """
    summaries, problems = read_summaries(directories or (DEFAULT_DIRECTORY,))
    curves, damaged_logs = _read_all_curves(summaries)
    tables = [paper_table(summaries, paper) for paper in papers]
    if summaries:
        tables.append(rule_table(summaries))
    if len(summaries) == 1:
        tables.append(run_table(summaries[0]))
    return Report(tuple(tables), (*problems, *damaged_logs), curves)


def _read_all_curves(summaries: Iterable[RunSummary]) -> tuple[tuple[Curves, ...], tuple[str, ...]]:
    curves: list[Curves] = []
    problems: list[str] = []
    for summary in summaries:
        # An average of several models was never trained, so it has no log
        if summary.num_models == 1 and summary.score("valid", "perplexity"):
            try:
                curves.append(read_curves(summary.directory))
            except DataError as error:
                problems.append(str(error))
    return tuple(curves), tuple(problems)
