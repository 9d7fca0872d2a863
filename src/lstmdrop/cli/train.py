"""``lstmdrop train``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lstmdrop.cli import completion, options
from lstmdrop.errors import LstmdropError

if TYPE_CHECKING:
    from lstmdrop.config import TaskConfig
    from lstmdrop.plugin import TaskPlugin
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
    ensemble: Annotated[
        int | None,
        typer.Option(
            help="Train K models as one, of the seeds N, N + 1 ... after --seed N; --out has a run for each.",
            metavar="K",
            min=2,
        ),
    ] = None,
    log: Annotated[
        Literal["none", "tensorboard"], typer.Option(help="tensorboard: write for it into the run too.")
    ] = "none",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show parameters, memory and steps; train nothing.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Run one batch: gradients, masks and labels in order? Train nothing; 1 if not."),
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="On a GPU: the same weights from the same seed, more slowly.")
    ] = False,
) -> None:
    """Train a model, score it as it goes and at the end, and write a run directory.

    Options that TASK adds: lstmdrop train TASK --help.
    """
    overrides = overrides or []
    if deterministic:
        overrides = [*overrides, "training.deterministic=true"]
    trains, where = not (dry_run or check), f"without {'--check' if check else '--dry-run'}, which trains nothing"
    options.refuse_without_effect(
        ("--resume", resume, trains, where),
        ("--log", log != "none", trains, where),
        ("--ensemble", ensemble, trains, where),
        ("--dry-run", dry_run, not check, "without --check, which builds the same"),
    )
    if not trains:
        show = _show_check if check else _show_plan
        show(task, start, (size, data, regularizer, seed, preset, overrides), device, data_dir)
    else:
        _train(
            task, log, ensemble, size=size, data=data, regularizer=regularizer, seed=seed, preset=preset,
            overrides=overrides, out=out, start=start, device=device, resume=resume, data_dir=data_dir,
        )  # fmt: skip


def _show_plan(task: str, start: Path | None, choices: tuple[Any, ...], device: str, data_dir: Path | None) -> None:
    from lstmdrop.cli.views import shown_work
    from lstmdrop.dry_run import plan

    plugin, config = _resolved(task, start, choices, data_dir)
    with shown_work():
        planned = plan(plugin, config, device, data_dir)
    _show_rows(planned)


def _show_check(task: str, start: Path | None, choices: tuple[Any, ...], device: str, data_dir: Path | None) -> None:
    from lstmdrop.check import check
    from lstmdrop.cli.views import shown_work

    plugin, config = _resolved(task, start, choices, data_dir)
    with shown_work():
        found = check(plugin, config, device, data_dir)
    _show_rows(found.rows)
    for problem in found.problems:
        typer.echo(f"{'problem':<22}{problem}")
    if found.problems:
        number = len(found.problems)
        raise LstmdropError(f"the check found {number} problem{'s' if number > 1 else ''}: see above")
    typer.echo(f"{'fine':<22}a gradient for every parameter, every mask drawn, every label in range")


def _show_rows(rows: Mapping[str, str]) -> None:
    typer.echo("\n".join(f"{name:<22}{value}" for name, value in rows.items()))


def _resolved(
    task: str, start: Path | None, choices: tuple[Any, ...], data_dir: Path | None
) -> tuple[TaskPlugin, TaskConfig]:
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import require_trainable, resolve_config
    from lstmdrop.start import started_config

    plugin = load_plugin(task)
    if start is None:
        config = resolve_config(plugin, *choices, data_dir=data_dir)
    else:
        config = started_config(plugin, start, *choices)
    require_trainable(plugin, config)
    return plugin, config


def _train(task: str, log: str, ensemble: int | None, **choices: Any) -> None:
    from lstmdrop.cli.views import TrainingView, shown_work
    from lstmdrop.commands.train import train
    from lstmdrop.commands.train_ensemble import train_ensemble

    with ExitStack() as logs, TrainingView(ensemble is not None) as view, shown_work(view.progress):
        extras = [logs.enter_context(_extra(log)) for _ in range(ensemble or 1)]

        def show(event: Event | Started | Finished, number: int = 0) -> None:
            view.show(event, number)
            if (extra := extras[number]) is not None:
                extra.show(event)

        try:
            if ensemble is None:
                train(task, listener=show, **choices)
            else:
                train_ensemble(task, ensemble, listener=lambda number, event: show(event, number), **choices)
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
