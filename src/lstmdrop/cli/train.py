"""``lstmdrop train``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lstmdrop.cli import completion, options

if TYPE_CHECKING:
    from lstmdrop.training.progress import Event, Finished, Started
    from lstmdrop.training.tensorboard import TensorBoardLog


def command(
    task: options.Task,
    size: Annotated[
        str | None,
        typer.Option(
            help="A preset of the task, such as small; auto: by the amount of data.", autocompletion=completion.sizes
        ),
    ] = None,
    data: options.Data = None,
    regularizer: Annotated[
        str | None,
        typer.Option(
            help="none, zaremba, naive, variational, recurrent, zoneout or weight-drop.",
            metavar="RULE",
            autocompletion=completion.rules,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's directory.", metavar="DIR")] = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    start: Annotated[
        Path | None,
        typer.Option("--from", help="A trained run: begin with its best weights and vocabulary.", metavar="RUN"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run, or a finished one under other settings of training; with --data, "
            "wherever its data is now.",
        ),
    ] = False,
    preset: Annotated[
        Path | None, typer.Option(help="Settings from a TOML or config.json file.", metavar="FILE")
    ] = None,
    overrides: options.Overrides = None,
    data_dir: options.DataDir = None,
    log: Annotated[
        Literal["none", "tensorboard"], typer.Option(help="tensorboard: write for it into the run too.")
    ] = "none",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show parameters, memory and steps; train nothing.")
    ] = False,
) -> None:
    """Train a model, score it as it goes and at the end, and write a run directory.

    Options that TASK adds: lstmdrop train TASK --help.
    """
    overrides = overrides or []
    options.refuse_without_effect(
        ("--resume", resume, not dry_run, "without --dry-run, which trains nothing"),
        ("--log", log != "none", not dry_run, "without --dry-run, which trains nothing"),
    )
    if dry_run:
        _show_plan(task, start, (size, data, regularizer, seed, preset, overrides), device, data_dir)
    else:
        _train(
            task, log, size=size, data=data, regularizer=regularizer, seed=seed, preset=preset,
            overrides=overrides, out=out, start=start, device=device, resume=resume, data_dir=data_dir,
        )  # fmt: skip


def _show_plan(task: str, start: Path | None, choices: tuple[Any, ...], device: str, data_dir: Path | None) -> None:
    from lstmdrop.cli.views import shown_work
    from lstmdrop.dry_run import plan
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import require_trainable, resolve_config
    from lstmdrop.start import started_config

    plugin = load_plugin(task)
    if start is None:
        config = resolve_config(plugin, *choices, data_dir=data_dir)
    else:
        config = started_config(plugin, start, *choices)
    require_trainable(plugin, config)
    with shown_work():
        planned = plan(plugin, config, device, data_dir)
    typer.echo("\n".join(f"{name:<22}{value}" for name, value in planned.items()))


def _train(task: str, log: str, **choices: Any) -> None:
    from lstmdrop.cli.views import TrainingView, shown_work
    from lstmdrop.commands.train import train

    with _extra(log) as extra, TrainingView() as view, shown_work(view.progress):

        def show(event: Event | Started | Finished) -> None:
            view.show(event)
            if extra is not None:
                extra.show(event)

        try:
            train(task, listener=show, **choices)
        except KeyboardInterrupt:
            view.say(
                "interrupted; the same command with --resume goes on from here"
                if view.has_begun
                else "interrupted before the first step; the same command begins again"
            )
            raise typer.Exit(130) from None


def _extra(log: str) -> AbstractContextManager[TensorBoardLog | None]:
    if log == "none":
        return nullcontext()
    from lstmdrop.training.tensorboard import TensorBoardLog

    return TensorBoardLog()
