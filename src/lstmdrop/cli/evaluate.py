"""``lstmdrop eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import options
from lstmdrop.errors import UsageError


def command(
    task: options.Task,
    runs: options.Runs = None,
    data: options.Data = None,
    split: Annotated[str | None, typer.Option(help="valid, test or train. Default: test.", metavar="SPLIT")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the average of several runs here, valid and test, for report.", metavar="DIR"),
    ] = None,
    device: options.Device = "auto",
    data_dir: options.DataDir = None,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 6 if the first score is worse than this.", metavar="BOUND")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Score a run, or the ensemble of several, with the signature that says how."""
    from lstmdrop.commands.average import average
    from lstmdrop.commands.evaluate import evaluate, require_bound
    from lstmdrop.commands.result import score_rows

    if out is None:
        split = split or "test"
        scores = {split: evaluate(task, runs=runs or (), data=data, split=split, device=device, data_dir=data_dir)}
    elif split is None:
        scores = average(task, out, runs=runs or (), data=data, device=device, data_dir=data_dir)
    else:
        raise UsageError("--out scores valid and test: leave --split out")
    rows = score_rows(scores)
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        typer.echo("\n".join("{split} {name} {value:.4f}  {signature}".format(**row) for row in rows))
    if fail_under is not None:
        require_bound(next(iter(scores.values()))[0], fail_under)
