"""``lstmdrop bench``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lstmdrop.cli import completion, options
from lstmdrop.parsing import to_json

USUAL = ("small", "medium", "large")


def command(
    task: Annotated[
        str, typer.Argument(help="The task to measure.", metavar="TASK", autocompletion=completion.tasks)
    ] = "lm",
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Presets to measure, separated by commas. Default: those of small, medium and large that there are.",
            autocompletion=completion.sizes,
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="About how long to measure each, in seconds.", min=0.1)] = 20.0,
    device: options.Device = "auto",
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Training speed on this machine, beside the plainest PyTorch loop.

    Options that TASK adds: lstmdrop bench TASK --help.
    """
    from lstmdrop.commands.bench import bench
    from lstmdrop.plugin import load_plugin
    from lstmdrop.plugin import sizes as sizes_of

    there = sizes_of(load_plugin(task))
    chosen = [size for size in USUAL if size in there] if sizes is None else sizes.split(",")
    for row in bench(task, sizes=chosen, seconds=seconds, device=device, overrides=overrides or ()):
        if as_json:
            typer.echo(to_json(asdict(row)))
        else:
            typer.echo(
                f"{row.size:<8}{row.tokens_per_second:>10,.0f} tokens/s   "
                f"plain loop {row.plain_tokens_per_second:>9,.0f}   {row.ratio:.2f} times as fast   "
                f"{row.share_of_matrix_rate:.0%} of the matrix rate   {row.device}"
            )
