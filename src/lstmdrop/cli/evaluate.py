"""``lstmdrop eval``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmdrop.cli import completion, options
from lstmdrop.errors import UsageError
from lstmdrop.parsing import to_json

if TYPE_CHECKING:
    from lstmdrop.metrics.score import Score


def command(
    task: options.Task,
    runs: options.Runs = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A dataset's name, or the path of your own files: one in one piece is the split, whole.",
            metavar="NAME|PATH",
            autocompletion=completion.datasets,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="valid, test or train. Default: test.", metavar="SPLIT", autocompletion=completion.splits),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the average of several runs, or one scored with --set, here, valid and test, for report.",
            metavar="DIR",
        ),
    ] = None,
    device: options.Device = "auto",
    data_dir: options.DataDir = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="One setting of decoding or scoring over the run's; may be repeated.",
            metavar="SECTION.FIELD=VALUE",
            autocompletion=completion.scoring_settings,
        ),
    ] = None,
    tune_on: Annotated[
        str | None,
        typer.Option(
            help="First choose the decoding that is best on this split.",
            metavar="SPLIT",
            autocompletion=completion.splits,
        ),
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(help="Exit with 6 if the split's first score is worse; of --out, the test's.", metavar="BOUND"),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Score a run, or the ensemble of several, with the signature that says how."""
    from lstmdrop.cli.views import shown_work
    from lstmdrop.commands.average import average
    from lstmdrop.commands.evaluate import evaluate, require_bound, tune

    with shown_work():
        if out is not None and split is not None:
            raise UsageError("--out scores valid and test: leave --split out")
        scored, settings = split or "test", list(overrides or ())
        where: dict[str, Any] = {"runs": runs or (), "data": data, "device": device, "data_dir": data_dir}
        if tune_on is not None:
            settings += tune(task, split=tune_on, scored=scored, overrides=settings, **where)
            typer.echo(f"chosen on {tune_on}: {' '.join(settings)}", err=True)
        how: dict[str, Any] = {"overrides": settings, "tuned_on": tune_on, **where}
        scores = average(task, out, **how) if out is not None else {scored: evaluate(task, split=scored, **how)}
    _show(scores, as_json)
    if fail_under is not None:
        require_bound(scores[scored][0], fail_under)


def _show(scores: Mapping[str, Sequence[Score]], as_json: bool) -> None:
    """The scores on standard output, and over how much they were made beside it."""
    from lstmdrop.result import score_rows

    for name, found in scores.items():
        counts: dict[str, int] = {}
        for score in found:
            counts |= {what: count for what, count in score.counts.items() if what not in counts}
        typer.echo(f"scored on {name}: {', '.join(f'{count:,} {what}' for what, count in counts.items())}", err=True)
    rows = score_rows(scores)
    if as_json:
        typer.echo(to_json(rows))
    else:
        typer.echo("\n".join("{split} {name} {value:.4f}  {signature}".format(**row) for row in rows))
