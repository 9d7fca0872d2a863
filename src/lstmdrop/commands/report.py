"""Results of runs as tables, without printing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lstmdrop.commands.settings import AnyPath, as_paths
from lstmdrop.errors import DataError
from lstmdrop.report.curves import Curves, read_curves
from lstmdrop.report.gap import generalisation_gap
from lstmdrop.report.paper.beside import paper_table, published_table
from lstmdrop.report.paper.recipe import PaperTable
from lstmdrop.report.paper.tables import PAPER_TABLES
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
    runs: tuple[RunSummary, ...]
    curves_of: dict[Path, Curves]
    """By the run's directory; an average of several models was never trained and has none."""

    @property
    def curves(self) -> tuple[Curves, ...]:
        """Of the runs that are scored by perplexity, in order."""
        return tuple(curves for curves in self.curves_of.values() if curves.metric == "perplexity")


def report(directories: Sequence[AnyPath] | AnyPath = (), *, papers: Sequence[PaperTable] = PAPER_TABLES) -> Report:
    """The paper's tables beside our runs, what dropout changed, and a run in full where it is the only one.

    ``directories`` are runs or folders of runs, ``runs/`` where none is given. A run that cannot be read
    raises nothing: ``problems`` names it.
    """
    summaries, problems = read_summaries(as_paths(directories) or (DEFAULT_DIRECTORY,))
    curves, damaged_logs = _read_all_curves(summaries)
    runs = tuple(replace(run, gap=generalisation_gap(run, curves.get(run.directory))) for run in summaries)
    tables = [published_table(runs)] if papers else []
    tables += [paper_table(runs, paper) for paper in papers]
    if runs:
        tables.append(rule_table(runs))
    if len(runs) == 1:
        tables.append(run_table(runs[0]))
    return Report(tuple(tables), (*problems, *damaged_logs), runs, curves)


def _read_all_curves(summaries: Iterable[RunSummary]) -> tuple[dict[Path, Curves], list[str]]:
    curves: dict[Path, Curves] = {}
    problems: list[str] = []
    for summary in summaries:
        if summary.num_models == 1:
            try:
                curves[summary.directory] = read_curves(summary.directory)
            except DataError as error:
                problems.append(str(error))
    return curves, problems
