"""The results page of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.commands.report import Report
from lstmdrop.commands.rescore import scored_items
from lstmdrop.errors import DataError, LstmdropError
from lstmdrop.plugin import ScoredItem
from lstmdrop.report.outputs import read_predictions
from lstmdrop.report.page.example import Example, from_predictions, read_examples
from lstmdrop.report.page.page import results_page
from lstmdrop.report.summary import RunSummary

EXAMPLES = 8
"""Shown of each run."""
RUNS_WITH_EXAMPLES = 24
"""More would make the page large: the first of each rule come first."""


def page(made: Report, *, with_data: bool = True, data_dir: Path | None = None) -> str:
    """One self-contained HTML file.

    Without ``with_data`` it shows nothing of the datasets (sources, references, pictures), so that it can be
    published where they cannot.
    """
    examples: dict[str, Sequence[Example]] = {}
    problems = list(made.problems)
    for run in _shown(made.runs):
        try:
            examples[str(run.directory)] = _examples(run, with_data, data_dir)
        except DataError as error:
            problems.append(str(error))
    return results_page(made.tables, made.runs, made.curves_of, examples, problems)


def _shown(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """The first seed of every rule before the second."""
    return sorted(runs, key=lambda run: run.seed)[:RUNS_WITH_EXAMPLES]


def _examples(run: RunSummary, with_data: bool, data_dir: Path | None) -> list[Example]:
    kept = read_examples(run.directory, EXAMPLES)
    if kept and not with_data:
        return [Example(example.text, prompt=example.prompt) for example in kept]
    if any(map(_has_data, kept)) or not (run.directory / "predictions.txt").exists():
        return kept
    lines = read_predictions(run.directory)
    items = _items(run, data_dir) if with_data else []
    if len(items) == len(lines):
        return from_predictions(lines, items, EXAMPLES)
    return kept or from_predictions(lines, [], EXAMPLES)


def _has_data(example: Example) -> bool:
    """Whether it says what it was made from: of runs that were copied to be published, the data was left out."""
    return bool(example.source or example.references or example.image)


def _items(run: RunSummary, data_dir: Path | None) -> Sequence[ScoredItem]:
    try:
        return scored_items(run, data_dir)
    except (LstmdropError, OSError):
        return []  # the data is not here: the predictions stand alone
