"""``lstmdrop eval``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lstmdrop.cli import options


def command(
    task: options.Task,
    runs: options.Runs = None,
    data: options.Data = None,
    split: Annotated[str, typer.Option(help="valid, test or train.")] = "test",
    device: options.Device = "auto",
    data_dir: options.DataDir = None,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 6 if the first score is worse than this.", metavar="BOUND")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Score a run, or the ensemble of several, with the signature that says how."""
    from lstmdrop.commands.evaluate import evaluate, require_bound

    scores = evaluate(task, runs=runs or (), data=data, split=split, device=device, data_dir=data_dir)
    if as_json:
        typer.echo(json.dumps([{"split": split, **asdict(score)} for score in scores]))
    else:
        typer.echo("\n".join(f"{split} {score.name} {score.value:.4f}  {score.signature}" for score in scores))
    if fail_under is not None:
        require_bound(scores[0], fail_under)
