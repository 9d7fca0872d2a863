"""``lstmdrop bench``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lstmdrop.cli import completion, options


def command(
    task: Annotated[
        str, typer.Argument(help="The task to measure.", metavar="TASK", autocompletion=completion.tasks)
    ] = "lm",
    sizes: Annotated[
        str, typer.Option("--sizes", help="Presets to measure, separated by commas.", autocompletion=completion.sizes)
    ] = "small,medium,large",
    seconds: Annotated[float, typer.Option(help="About how long to measure each, in seconds.", min=0.1)] = 20.0,
    device: options.Device = "auto",
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Training speed on this machine, beside the plainest PyTorch loop."""
    from lstmdrop.commands.bench import bench

    for row in bench(task, sizes=sizes.split(","), seconds=seconds, device=device, overrides=overrides or ()):
        if as_json:
            typer.echo(json.dumps(asdict(row)))
        else:
            typer.echo(
                f"{row.size:<8}{row.tokens_per_second:>10,.0f} tokens/s   "
                f"plain loop {row.plain_tokens_per_second:>9,.0f}   {row.ratio:.2f} times as fast   "
                f"{row.share_of_matrix_rate:.0%} of the matrix rate   {row.device}"
            )
