"""The page as one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from lstmdrop.report.curves import Curves
from lstmdrop.report.page.data import as_script, page_data
from lstmdrop.report.page.example import Example
from lstmdrop.report.page.examples import examples_html
from lstmdrop.report.page.tables import table_html
from lstmdrop.report.run_list import run_list
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Table


def results_page(
    tables: Sequence[Table],
    runs: Sequence[RunSummary],
    curves: Mapping[Path, Curves],
    examples: Mapping[str, Sequence[Example]],
    problems: Sequence[str],
) -> str:
    """One HTML file that needs no other and no network; the same runs give the same bytes."""
    return Template(_resource("page.html")).substitute(
        style=_resource("page.css"),
        tables="".join(map(table_html, sorted(tables, key=_is_of_the_paper))),
        list=table_html(run_list(runs)),
        examples=_examples(examples),
        problems=_problems(problems),
        data=as_script(page_data(runs, curves)),
        d3=_resource("vendor/d3.min.js"),
        plot=_resource("vendor/plot.umd.min.js"),
        script=_resource("page.js"),
        version=escape(version("lstmdrop")),
        num_runs=str(len(runs)),
    )


def _is_of_the_paper(table: Table) -> bool:
    return "paper" in table.title


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
