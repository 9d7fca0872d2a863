"""``lstmdrop info``."""

from __future__ import annotations

import json

import typer

from lstmdrop.cli import options


def command(as_json: options.Json = False) -> None:
    """Versions, devices, optional parts, data and cache folders: what a bug report needs."""
    from lstmdrop.cli import render
    from lstmdrop.commands.info import info

    facts = info()
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        render.print_rows(list(facts.items()))
