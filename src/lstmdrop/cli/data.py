"""``lstmdrop data``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmdrop.cli import completion, options
from lstmdrop.errors import DataError, UsageError
from lstmdrop.parsing import to_json

if TYPE_CHECKING:
    from lstmdrop.commands.data import DatasetRow

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
Name = Annotated[
    str, typer.Argument(help="A dataset's name, as 'data list' shows it.", autocompletion=completion.dataset_names)
]


@app.callback()
def group() -> None:
    """Datasets: what is known, get it, check it, look at your own, and at the cache."""


@app.command("list")
def list_datasets(data_dir: options.DataDir = None) -> None:
    """The known datasets, and where each was found."""
    from lstmdrop.cli import render
    from lstmdrop.commands.data import list_datasets

    render.print_rows([(row.task, row.name, _place(row), row.summary) for row in list_datasets(data_dir)])


@app.command("prepare")
def prepare(
    name: Annotated[
        str,
        typer.Argument(
            help="A dataset's name, or a text of your own: a file, a folder, a pattern or an address.",
            autocompletion=completion.dataset_names,
        ),
    ],
    source: Annotated[Path | None, typer.Option("--from", help="Take the files from here.", metavar="DIR")] = None,
    column: Annotated[
        str | None, typer.Option(help="Of your own tables, JSON lines or Parquet, that with the text.", metavar="NAME")
    ] = None,
    data_dir: options.DataDir = None,
) -> None:
    """Download a dataset, or take it from a folder, and check it; or fetch, read and split your own text."""
    from lstmdrop.cli.views import shown_work
    from lstmdrop.commands.data import is_own, prepare_dataset, prepare_own

    if is_own(name):
        if source is not None:
            raise UsageError(f"--from is for datasets that have a name, and {name} is a text of your own")
        with shown_work():
            for split, text in prepare_own(name, column).items():
                typer.echo(f"{split}\t{text}")
        return
    if column is not None:
        raise UsageError(f"--column is for a text of your own, and there is none at {name}")
    folder = prepare_dataset(name, source, data_dir, _show_progress)
    if folder is None:
        _say_built_in(name)
    else:
        typer.echo(str(folder))


@app.command("verify")
def verify(name: Name, data_dir: options.DataDir = None) -> None:
    """Compare a dataset's files with the published checksums."""
    from lstmdrop.cli import render
    from lstmdrop.commands.data import verify_dataset

    checks = verify_dataset(name, data_dir)
    if not checks:
        _say_built_in(name)
    render.print_rows([(status, file) for file, status in checks])
    if any(status != "ok" for _, status in checks):
        raise DataError(f"{name} is not as it was published; get it again with: lstmdrop data prepare {name}")


@app.command("info")
def describe(
    path: Annotated[str, typer.Argument(help="A text, a folder of texts or speech, a pattern or an address.")],
) -> None:
    """Lines and words of your own text; hours, speakers and damage of your own speech."""
    from lstmdrop.cli.views import shown_work
    from lstmdrop.commands.data import describe_text

    with shown_work():
        for row in describe_text(path):
            typer.echo(row)


@app.command("cache")
def cache(
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what can be made again; datasets stay. Not while a run trains.")
    ] = False,
    older_than: Annotated[
        float, typer.Option(help="Only what was made more than so many days ago.", metavar="DAYS", min=0)
    ] = 0.0,
    as_json: options.Json = False,
) -> None:
    """What the cache holds: kind, size, age and place; the cache is where LSTMDROP_CACHE says."""
    from lstmdrop.commands.data import list_cache, prune_cache
    from lstmdrop.data.registry import cache_dir

    entries = prune_cache(older_than) if prune else list_cache(older_than)
    if as_json:
        typer.echo(to_json([asdict(entry) for entry in entries], default=str))
    else:
        for entry in entries:
            typer.echo(f"{entry.kind:<10}{_size(entry.num_bytes):>10}{entry.days:>8.1f} days  {entry.path}")
    total = _size(sum(entry.num_bytes for entry in entries))
    verb = "freed" if prune else "held"
    typer.echo(f"{total} {verb} by {len(entries):,} entries in {cache_dir()}", err=True)


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"


def _say_built_in(name: str) -> None:
    typer.echo(
        f"{name} is built in: each task makes its own when it is first used, so there is nothing to fetch", err=True
    )


def _place(row: DatasetRow) -> str:
    if row.is_built_in:
        return "built in"
    return f"{'' if row.is_whole else 'in part: '}{row.folder}" if row.folder else "not here"


def _show_progress(file: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        of_all = f" of {total / 2**20:,.0f}" if total else ""
        typer.echo(f"\r{file}: {done / 2**20:,.0f}{of_all} MiB", err=True, nl=done == total)
