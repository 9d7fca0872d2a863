"""``lstmdrop info``."""

from __future__ import annotations

import json

import typer

from lstmdrop.cli import options


def command(as_json: options.Json = False) -> None:
    """Versions, devices, optional parts, data and cache folders: what a bug report needs."""
    from lstmdrop.commands.info import info

    facts = info()
    typer.echo(json.dumps(facts) if as_json else "\n".join(f"{name:<14}{value}" for name, value in facts.items()))
