"""``lstmdrop report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmdrop.cli import options
from lstmdrop.errors import DataError, UsageError

if TYPE_CHECKING:
    from lstmdrop.commands.report import Report

LISTED = 24
"""Of more runs than a screen holds, the lines of the rules stand for them; the page lists all."""
FORMATS = ("table", "markdown", "latex", "csv", "json", "html", "svg")


def command(
    directories: Annotated[
        list[Path] | None, typer.Argument(help="Runs, or folders of runs. Default: runs/", metavar="DIR")
    ] = None,
    output_format: Annotated[
        str,
        typer.Option("--format", help="table, markdown, latex, csv, json, html (a page), or svg (see --figure)."),
    ] = "table",
    figure: Annotated[
        str | None,
        typer.Option(
            help="Of an svg: changes (all, in per cent), rules (of one dataset; the default of an experiment with "
            "many) or curves (else the default).",
            metavar="NAME",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to a file.", metavar="FILE")] = None,
    paper: Annotated[bool, typer.Option(help="Show the paper's tables beside the runs.")] = True,
    curves: Annotated[bool, typer.Option("--curves", help="Draw training and validation curves too.")] = False,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="Leave sources, references and pictures out of the page.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(help="Put the short table between the markers of a Markdown file.", metavar="FILE")
    ] = None,
    data_dir: options.DataDir = None,
) -> None:
    """The paper's rows beside what the runs reached, and what dropout changed."""
    from lstmdrop.commands.report import FIGURES, page, write_results

    if output_format not in FORMATS:
        raise UsageError(f"--format {output_format}: one of {', '.join(FORMATS)}")
    if figure is not None and figure not in FIGURES:
        raise UsageError(f"--figure {figure}: one of {', '.join(FIGURES)}")
    is_page, is_shown = output_format == "html", output_format == "table" and output is None
    options.refuse_without_effect(
        ("--figure", figure, output_format == "svg" and into is None, "with --format svg"),
        ("--format", output_format != "table", into is None, "without --into"),
        ("--output", output, into is None, "without --into"),
        ("--curves", curves, is_shown and into is None, "where tables are shown: --format svg writes the curves"),
        ("--no-data", no_data, is_page and into is None, "with --format html"),
        ("--data-dir", data_dir, is_page and into is None, "with --format html"),
        ("--no-paper", not paper, output_format != "svg" and into is None, "where the tables are written"),
    )
    made = _read(directories or (), paper)
    if into is not None:
        write_results(into, made)
    elif is_shown:
        _show(made, with_curves=curves)
    else:
        text = page(made, with_data=not no_data, data_dir=data_dir) if is_page else _text(made, output_format, figure)
        _write(text, output)


def _read(directories: Sequence[Path], with_paper: bool) -> Report:
    from lstmdrop.commands.report import report

    for directory in directories:
        if not directory.exists():
            raise DataError(f"{directory}: no such folder")
    made = report(directories) if with_paper else report(directories, papers=())
    for problem in made.problems:
        typer.echo(f"left out: {problem}", err=True)
    if directories and not made.runs:
        raise DataError(f"no run that can be read is in {', '.join(map(str, directories))}")
    return made


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    elif output.exists() and not output.is_file():  # a pipe, say
        output.write_text(text, encoding="utf-8", errors="backslashreplace")
    else:
        from lstmdrop.data.json_file import write_text

        write_text(output.resolve(), text)


def _show(made: Report, *, with_curves: bool) -> None:
    from lstmdrop.cli import render, terminal_plot
    from lstmdrop.report.beside_paper import split_unrun
    from lstmdrop.report.changes import changes, headline
    from lstmdrop.report.tables import run_list

    if with_curves:
        typer.echo(terminal_plot.curves("Perplexity by epoch", made.curves) + "\n")
    listed = [run_list(made.runs)] if 1 < len(made.runs) <= LISTED else []
    folded = [part for table in made.papers for part in split_unrun(table) if part.rows]
    if answer := headline(changes(made.runs)):
        typer.echo(f"{answer}\n")
    render.print_tables([*listed, *made.own, *folded])


def _text(made: Report, output_format: str, figure: str | None) -> str:
    from lstmdrop.commands.report import FIGURES
    from lstmdrop.report.table import WRITERS

    if output_format == "svg":
        return FIGURES[figure or ("rules" if made.contests else "curves")](made)
    return WRITERS["markdown" if output_format == "table" else output_format](made.tables)
