"""Results of runs as tables, as a page, and in a README, without printing them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError, LstmdropError, UsageError
from lstmdrop.plugin import ScoredItem
from lstmdrop.report.beside_paper import headline_table, paper_table, published_table
from lstmdrop.report.changes import without_demos
from lstmdrop.report.curves import Curves, generalisation_gap, read_curves, require_own_log
from lstmdrop.report.forest import changes_forest, groups_of
from lstmdrop.report.page.examples import Example, from_predictions, read_examples
from lstmdrop.report.page.page import results_page
from lstmdrop.report.paper import PAPER_TABLES, PaperTable
from lstmdrop.report.plots import forest_figure, overfitting_figure
from lstmdrop.report.rules import Contest, contest_forest, contest_table, contests, tries_table
from lstmdrop.report.runs import RunSummary, read_summaries
from lstmdrop.report.table import Table, to_markdown
from lstmdrop.report.tables import rule_table, run_table, short_table
from lstmdrop.settings import AnyPath, as_paths

DEFAULT_DIRECTORY = Path("runs")


@dataclass(frozen=True, slots=True)
class Report:
    """What the runs show."""

    own: tuple[Table, ...]
    """What dropout changed, and a run in full where it is the only one."""
    papers: tuple[Table, ...]
    """The paper's, with ours beside them."""
    problems: tuple[str, ...]
    """One line about each run, or log of a run, that could not be shown."""
    runs: tuple[RunSummary, ...]
    curves_of: dict[Path, Curves]
    """By the run's directory; an average of several models was never trained and has none."""
    contests: tuple[Contest, ...] = ()
    """The experiments among them that put several rules, or pieces of a recipe, beside each other."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """One's own results, then the paper's."""
        return (*self.own, *self.papers)

    @property
    def curves(self) -> tuple[Curves, ...]:
        """Of the runs that are scored by perplexity, in order."""
        return tuple(curves for curves in self.curves_of.values() if curves.metric == "perplexity")


def report(directories: Sequence[AnyPath] | AnyPath = (), *, papers: Sequence[PaperTable] = PAPER_TABLES) -> Report:
    """What dropout changed, a run in full where it is the only one, and the paper's tables beside our runs.

    ``directories`` are runs or folders of runs, ``runs/`` where none is given. A run that cannot be read
    raises nothing: ``problems`` names it.
    """
    summaries, problems = read_summaries(as_paths(directories) or (DEFAULT_DIRECTORY,))
    curves, damaged_logs = _read_all_curves(summaries)
    runs = tuple(replace(run, gap=generalisation_gap(run, curves.get(run.directory))) for run in summaries)
    own = [rule_table(runs)] if runs else []
    experiments, damaged = _contests(runs)
    own += [table for one in experiments for table in (contest_table(one), tries_table(one)) if table.rows]
    own += [run_table(runs[0])] if len(runs) == 1 else []
    beside = [published_table(runs), *(paper_table(runs, paper) for paper in papers)] if papers else []
    return Report(tuple(own), tuple(beside), (*problems, *damaged_logs, *damaged), runs, curves, experiments)


def _contests(runs: Sequence[RunSummary]) -> tuple[tuple[Contest, ...], list[str]]:
    try:
        return tuple(contests(runs)), []
    except DataError as error:
        return (), [str(error)]


def _read_all_curves(summaries: Iterable[RunSummary]) -> tuple[dict[Path, Curves], list[str]]:
    curves: dict[Path, Curves] = {}
    problems: list[str] = []
    for summary in summaries:
        if summary.has_log and summary.num_models == 1:
            try:
                read = read_curves(summary.directory)
                require_own_log(summary, read)
                curves[summary.directory] = read
            except DataError as error:
                problems.append(str(error))
    return curves, problems


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


EXAMPLES = 8
"""Shown of each run."""
RUNS_WITH_EXAMPLES = 24
"""More would make the page large: the first of each rule come first."""


def page(made: Report, *, with_data: bool = True, data_dir: Path | None = None) -> str:
    """One self-contained HTML file.

    Without ``with_data`` it shows nothing of the datasets (sources, references, pictures), so that it can be
    published where they cannot.
    """
    examples: dict[Path, Sequence[Example]] = {}
    problems = list(made.problems)
    for run in _shown(made.runs):
        try:
            examples[run.directory] = _examples(run, with_data, data_dir)
        except DataError as error:
            problems.append(str(error))
    return results_page(made.papers, made.contests, made.runs, made.curves_of, examples, problems)


def _shown(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """The first seed of every rule before the second."""
    return sorted(runs, key=lambda run: run.seed)[:RUNS_WITH_EXAMPLES]


def _examples(run: RunSummary, with_data: bool, data_dir: Path | None) -> list[Example]:
    kept = read_examples(run.directory, EXAMPLES)
    if kept and not with_data:
        return [Example(example.text, prompt=example.prompt) for example in kept]
    if any(map(_has_data, kept)) or not (run.directory / "predictions.txt").exists():
        return kept
    from lstmdrop.report.rescore import read_predictions  # tables need nothing of what it needs

    lines = read_predictions(run.directory)
    items = _items(run, data_dir) if with_data else []
    if kept and len(items) != len(lines):
        return kept
    is_framewise = run.scores[0].score.name == "frame_accuracy" if run.scores else False
    examples = from_predictions(lines, items if len(items) == len(lines) else [], EXAMPLES)
    return [replace(example, is_framewise=is_framewise) for example in examples]


def _has_data(example: Example) -> bool:
    """Whether it says what it was made from: of runs that were copied to be published, the data was left out."""
    return bool(example.source or example.references or example.image)


def _items(run: RunSummary, data_dir: Path | None) -> Sequence[ScoredItem]:
    from lstmdrop.report.rescore import scored_items

    try:
        return scored_items(run, data_dir)
    except (LstmdropError, OSError):
        return []  # the data is not here: the predictions stand alone


def _rules_figure(made: Report) -> str:
    if made.contests:
        return forest_figure(contest_forest(made.contests[0]))
    forests = groups_of(made.runs)
    if len(forests) != 1:
        listed = "; ".join(forest.title for forest in forests)
        raise UsageError(f"--figure rules shows one dataset and size, and there are {len(forests)}: {listed}")
    return forest_figure(forests[0])


FIGURES: Mapping[str, Callable[[Report], str]] = {
    "curves": lambda made: overfitting_figure(made.curves),
    "changes": lambda made: forest_figure(changes_forest(made.runs)),
    "rules": _rules_figure,
}
"""Pictures of a report as SVG, which need matplotlib."""

BEGIN = "<!-- results: lstmdrop report docs/results --into README.md -->"
END = "<!-- end of results -->"
_MARKED = re.compile(r"(<!-- (results|experiments|headline): [^\n]*-->\n).*?\n?(<!-- end of \2 -->)", re.DOTALL)


def with_results(text: str, made: Report, name: str = "the text") -> str:
    """``text`` with tables between its markers: what dropout changed, the paper's rows, experiments with many entries.

    Raises:
        DataError: the markers are missing, or there twice.
    """
    kinds = [found[2] for found in _MARKED.finditer(text)]
    if not kinds or len(set(kinds)) < len(kinds) or len(kinds) < text.count("<!-- end of "):
        raise DataError(
            f"{name} needs these two lines, once each, for the table to stand between:\n{BEGIN}\n{END}\n"
            "(with 'headline' in place of 'results' in both: the paper's rows and what is below them; with "
            "'experiments': rules beside each other)"
        )
    return _MARKED.sub(lambda found: f"{found[1]}\n{_between(found[2], made)}\n{found[3]}", text)


def _between(kind: str, made: Report) -> str:
    if kind == "results":
        return to_markdown([short_table(without_demos(made.runs))]).partition("\n\n")[2]
    if kind == "headline":
        return to_markdown([headline_table(made.runs)]).partition("\n\n")[2]
    tables = [table for one in made.contests for table in (contest_table(one), tries_table(one)) if table.rows]
    return to_markdown(tables)


def write_results(path: Path, made: Report) -> None:
    """Put the table into a file.

    Raises:
        DataError: the file cannot be read, or its markers are missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    changed = with_results(text, made, str(path))
    with atomic_file(path) as file:
        file.write(changed.encode())
