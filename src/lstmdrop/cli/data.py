"""``lstmdrop data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import options

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A dataset's name, as 'data list' shows it.")]


@app.callback()
def group() -> None:
    """Datasets: what is known, get it, check it, look at your own."""


@app.command("list")
def list_datasets(data_dir: options.DataDir = None) -> None:
    """The known datasets, and where each was found."""
    from lstmdrop.commands.data import list_datasets

    for row in list_datasets(data_dir):
        typer.echo(f"{row.task:<8}{row.name:<16}{row.folder or 'not here'!s:<40}{row.summary}")


@app.command("prepare")
def prepare(
    name: Name,
    source: Annotated[Path | None, typer.Option("--from", help="Take the files from here.", metavar="DIR")] = None,
    data_dir: options.DataDir = None,
) -> None:
    """Download a dataset, or take it from a folder, and check it."""
    from lstmdrop.commands.data import prepare_dataset

    typer.echo(str(prepare_dataset(name, source, data_dir)))


@app.command("verify")
def verify(name: Name, data_dir: options.DataDir = None) -> None:
    """Compare a dataset's files with the published checksums."""
    from lstmdrop.commands.data import verify_dataset

    for file, state in verify_dataset(name, data_dir):
        typer.echo(f"{state:<10}{file}")


@app.command("info")
def describe(path: Annotated[Path, typer.Argument(help="A text, or a folder of texts.")]) -> None:
    """Lines, words and characters of your own text."""
    from lstmdrop.commands.data import describe_text

    for row in describe_text(path):
        typer.echo(row)
