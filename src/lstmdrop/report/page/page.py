"""The page as one text: the answer, a card for each task, the paper's tables, examples, every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from lstmdrop.report.beside_paper import split_unrun
from lstmdrop.report.changes import changes, headline
from lstmdrop.report.curves import Curves
from lstmdrop.report.forest import changes_forest
from lstmdrop.report.page.cards import cards_html
from lstmdrop.report.page.data import as_script, page_data
from lstmdrop.report.page.examples import Example, examples_html
from lstmdrop.report.page.grid import table_html
from lstmdrop.report.page.intervals import forest_html
from lstmdrop.report.rules import Contest, contest_forest, contest_table, tries_table
from lstmdrop.report.runs import RunSummary, names_below
from lstmdrop.report.table import Table
from lstmdrop.report.tables import run_list, run_table


def results_page(
    papers: Sequence[Table],
    experiments: Sequence[Contest],
    runs: Sequence[RunSummary],
    curves: Mapping[Path, Curves],
    examples: Mapping[Path, Sequence[Example]],
    problems: Sequence[str],
) -> str:
    """One HTML file that needs no other and no network; the same runs give the same bytes."""
    listed, (_, names) = run_list(runs), names_below(runs)
    singles = [run_table(run) for run in runs] if len(runs) == 1 else []
    return Template(_resource("page.html")).substitute(
        style=_resource("page.css"),
        headline=escape(headline(changes(runs)) or "No rule has a run without dropout beside it yet."),
        forest=forest_html(changes_forest(runs)),
        cards=cards_html(runs, curves.keys()),
        experiments="".join(map(_experiment, experiments)),
        papers=_papers(papers),
        list=f"<h2>{escape(listed.title)}</h2>{table_html(listed)}{''.join(map(_titled, singles))}",
        marks=_MARKS if any(example.references for found in examples.values() for example in found) else "",
        examples=_examples({names[directory]: found for directory, found in examples.items()}),
        problems=_problems(problems),
        data=as_script(page_data(runs, curves)),
        d3=_resource("vendor/d3.min.js"),
        plot=_resource("vendor/plot.umd.min.js"),
        script=_resource("page.js"),
        version=escape(version("lstmdrop")),
        num_runs=str(len(runs)),
    )


_MARKS = '<p class="key">Against a single reference: <mark>wrong</mark>, <ins>too much</ins>, <del>missing</del>.</p>'


def _experiment(contest: Contest) -> str:
    """Entries that were trained alike beside the one they are compared with, and how their settings were found."""
    title = escape(contest.title)
    tried = tries_table(contest)
    folded = f"<details><summary>What was tried</summary>{table_html(tried)}</details>" if tried.rows else ""
    shown = f"{forest_html(contest_forest(contest))}{table_html(contest_table(contest))}{folded}"
    return f'<section class="experiment"><h2>{title}</h2>{shown}</section>'


def _papers(tables: Sequence[Table]) -> str:
    if not tables:
        return ""
    return f'<section id="papers"><h2>Beside the paper</h2>{"".join(map(_paper, tables))}</section>'


def _paper(table: Table) -> str:
    """Rows that were run, and folded below them those that were not."""
    run, unrun = split_unrun(table)
    count = f"{len(unrun.rows)} row{'s' if len(unrun.rows) > 1 else ''}"
    folded = f"<details><summary>{count} not run yet</summary>{table_html(unrun)}</details>" if unrun.rows else ""
    shown = table_html(run) if run.rows else ""
    return f'<section class="results"><h3>{escape(table.title)}</h3>{shown}{folded}</section>'


def _titled(table: Table) -> str:
    return f"<h3>{escape(table.title)}</h3>{table_html(table)}"


def _examples(examples: Mapping[str, Sequence[Example]]) -> str:
    shown = {name: found for name, found in examples.items() if found}
    if not shown:
        return "<p>These runs kept no predictions.</p>"
    return "".join(examples_html(name, found) for name, found in shown.items())


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<section id="problems"><h2>Left out</h2><ul>{items}</ul></section>'


@cache
def _resource(name: str) -> str:
    return files(__package__ or "lstmdrop.report.page").joinpath(name).read_text(encoding="utf-8")
