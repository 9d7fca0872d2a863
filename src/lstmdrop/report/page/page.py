"""The page as one text, its tables among it."""

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
from lstmdrop.report.page.examples import Example, examples_html
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.table import Cell, Column, Note, Table, cell_text
from lstmdrop.report.tables import run_list


def table_html(table: Table) -> str:
    """A table under its heading, its notes folded below it; a click on a column's head sorts by it."""
    shown = table.for_readers()
    kept = [index for index in range(len(shown.columns)) if _says_something(shown, index)]
    heads = "".join(_head(shown.columns[index]) for index in kept)
    rows = "".join(
        f"<tr>{''.join(_cell(row[index], shown.columns[index]) for index in kept)}</tr>" for row in shown.rows
    )
    title = escape(table.title)
    return (
        f'<section class="results"><h2>{title}</h2>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"{_notes(table.notes)}</section>"
    )


def _says_something(table: Table, index: int) -> bool:
    return not table.rows or any(row[index] is not None for row in table.rows)


def _head(column: Column) -> str:
    kind = "text" if column.is_text else "number"
    return f'<th scope="col" class="{kind}" aria-sort="none"><button type="button">{escape(column.name)}</button></th>'


def _cell(cell: Cell, column: Column) -> str:
    kind = "text" if column.is_text else "number"
    value = "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)
    return f'<td class="{kind}" data-value="{escape(value)}">{escape(cell_text(cell, column))}</td>'


def _notes(notes: tuple[Note, ...]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note.text)}{_code(note.code)}</li>" for note in notes)
    return f"<details><summary>How these numbers were made</summary><ul>{items}</ul></details>"


def _code(code: str) -> str:
    return f" <code>{escape(code)}</code>" if code else ""


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
