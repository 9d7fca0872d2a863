"""``lstmdrop export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lstmdrop.cli import options
from lstmdrop.parsing import to_json


def command(
    task: options.Task,
    run: Annotated[
        Path | None, typer.Option(help="A run directory. Default: the newest finished run.", metavar="DIR")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write. Default: export in the run directory.", metavar="DIR")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """A run's model as ONNX files, held against the network that they are made of."""
    from lstmdrop.commands.export import export

    graphs = export(task, run=run, out=out)
    if as_json:
        rows = [
            {"path": str(graph.path), "largest_difference": graph.largest_difference, **graph.interface}
            for graph in graphs
        ]
        typer.echo(to_json(rows))
        return
    for graph in graphs:
        typer.echo(f"{graph.path}  {graph.num_bytes:,} bytes, differs by at most {graph.largest_difference:.1g}")
        for side in ("inputs", "outputs"):
            typer.echo(f"  {side:<8} {', '.join(map(_port, graph.interface[side]))}")


def _port(port: dict[str, Any]) -> str:
    return f"{port['name']} {port['dtype']} ({', '.join(map(str, port['axes']))})"
