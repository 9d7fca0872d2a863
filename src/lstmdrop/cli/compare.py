"""``lstmdrop compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import options

FORMATS = ("table", "markdown", "latex", "csv", "json")


def command(
    first: Annotated[Path, typer.Argument(help="A run.", metavar="RUN_A")],
    second: Annotated[Path, typer.Argument(help="Another, on the same test data.", metavar="RUN_B")],
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", help="A test score; may be repeated. Default: all.", metavar="NAME")
    ] = None,
    num_resamples: Annotated[int, typer.Option("--resamples", help="Of the bootstrap.", min=100)] = 1000,
    num_shuffles: Annotated[int, typer.Option("--shuffles", help="Of the randomisation.", min=100)] = 10000,
    seed: Annotated[int, typer.Option(help="Of the resampling.", min=0)] = 12345,
    output_format: Annotated[str, typer.Option("--format", help="table, markdown, latex, csv or json.")] = "table",
    data_dir: options.DataDir = None,
) -> None:
    """The same metric on the same test set, with paired significance tests."""
    from lstmdrop.cli import render
    from lstmdrop.commands.compare import compare, comparison_table
    from lstmdrop.errors import UsageError
    from lstmdrop.report.table import WRITERS

    if output_format not in FORMATS:
        raise UsageError(f"--format {output_format}: one of {', '.join(FORMATS)}")
    table = comparison_table(
        compare(
            first, second, metrics=metrics or (), num_resamples=num_resamples, num_shuffles=num_shuffles, seed=seed,
            data_dir=data_dir,
        )
    )  # fmt: skip
    if output_format == "table":
        render.print_tables([table])
    else:
        typer.echo(WRITERS[output_format]([table]), nl=False)
