"""``lstmdrop info``."""

from __future__ import annotations

import typer

from lstmdrop.cli import options
from lstmdrop.parsing import to_json


def command(as_json: options.Json = False) -> None:
    """Versions, devices, optional parts, data and cache folders: what a bug report needs."""
    from lstmdrop.cli import render
    from lstmdrop.commands.info import info

    facts = info()
    if as_json:
        typer.echo(to_json(facts))
    else:
        render.print_rows(list(facts.items()))
