"""Results of runs as tables, without printing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.report.paper import PAPER_TABLES, PaperTable
from lstmdrop.report.summary import read_summaries
from lstmdrop.report.table import Table, paper_table, rule_table, run_table

DEFAULT_DIRECTORY = Path("runs")


@dataclass(frozen=True, slots=True)
class Report:
    """What the runs show, and one line about each run that could not be shown."""

    tables: tuple[Table, ...]
    problems: tuple[str, ...]


def report(directories: Sequence[Path] = (), *, papers: Sequence[PaperTable] = PAPER_TABLES) -> Report:
    """The paper's tables beside our runs, what dropout changed, and a run in full where it is the only one.

    ``directories`` are runs or folders of runs, ``runs/`` where none is given. A run that cannot be read
    raises nothing: ``problems`` names it.
    """
    summaries, problems = read_summaries(directories or (DEFAULT_DIRECTORY,))
    tables = [paper_table(summaries, paper) for paper in papers]
    if summaries:
        tables.append(rule_table(summaries))
    if len(summaries) == 1:
        tables.append(run_table(summaries[0]))
    return Report(tuple(tables), problems)
