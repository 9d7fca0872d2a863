"""``lstmdrop bench``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lstmdrop.cli import options


def command(
    task: Annotated[str, typer.Argument(help="The task to measure.", metavar="[TASK]")] = "lm",
    sizes: Annotated[str, typer.Option("--sizes", help="Presets to measure, separated by commas.")] = "small,medium,large",
    seconds: Annotated[float, typer.Option(help="About how long to measure each, in seconds.", min=0.1)] = 20.0,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Training speed on this machine, beside the plainest PyTorch loop."""
    from lstmdrop.commands.bench import bench

    for row in bench(task, sizes=sizes.split(","), seconds=seconds, device=device):
        typer.echo(json.dumps(row) if as_json else "  ".join(f"{name} {value}" for name, value in row.items()))
