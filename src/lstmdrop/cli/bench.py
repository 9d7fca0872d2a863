"""``lstmdrop bench``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lstmdrop.cli import completion, options
from lstmdrop.contest import WORKS
from lstmdrop.errors import UsageError
from lstmdrop.parsing import to_json

if TYPE_CHECKING:
    from lstmdrop.commands.bench import BenchRow

USUAL = ("small", "medium", "large")
ALL = "all"
GROWTH_SECONDS, USUAL_SECONDS = 2.0, 20.0


def command(
    task: Annotated[
        str,
        typer.Argument(
            help="The task to measure, or all of them.", metavar="TASK|all", autocompletion=completion.tasks
        ),
    ] = "lm",
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Presets to measure, separated by commas. Default: those of small, medium and large that there are.",
            autocompletion=completion.sizes,
        ),
    ] = None,
    work: Annotated[
        str, typer.Option(help="Kinds of work, separated by commas: train, score, decode.", metavar="WORK")
    ] = ",".join(WORKS),
    seconds: Annotated[
        float | None,
        typer.Option(help="About how long to measure each, in seconds. Default: 20; with --grow 2.", min=0.001),
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="The most memory of each too, in a process of its own.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Where a training step's time goes, in place of its speed.")
    ] = False,
    grow: Annotated[
        bool, typer.Option("--grow", help="How time and memory grow with each size, in place of the speed.")
    ] = False,
    axes: Annotated[
        str | None, typer.Option(help="With --grow, which sizes grow, separated by commas. Default: all.")
    ] = None,
    device: options.Device = "auto",
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Training, scoring and decoding on this machine, beside the plainest PyTorch loops.

    Options that TASK adds: lstmdrop bench TASK --help.
    """
    from lstmdrop.commands.bench import bench, profile_training, require_works

    _require_effect(profile=profile, grow=grow, memory=memory, work=work, seconds=seconds, axes=axes)
    works = work.split(",")
    require_works(works)
    given = overrides or ()
    for name, chosen in _chosen(task, sizes):
        if grow:
            _grow(name, chosen[:1] if sizes is None else chosen, axes, seconds, device, given, as_json)
        elif profile:
            for part in profile_training(name, sizes=chosen, device=device, overrides=given):
                _say(
                    asdict(part),
                    f"{part.task:<8}{part.size:<8}{part.part:<56}{1000 * part.seconds:>10.2f} ms {part.share:>6.1%}",
                    as_json,
                )
        else:
            for row in bench(
                name, sizes=chosen, seconds=seconds or USUAL_SECONDS, device=device, overrides=given, work=works,
                memory=memory,
            ):  # fmt: skip
                _say(asdict(row), _line(row), as_json)


def _require_effect(
    *, profile: bool, grow: bool, memory: bool, work: str, seconds: float | None, axes: str | None
) -> None:
    if profile and grow:
        raise UsageError("--profile and --grow: one of them")
    if axes is not None and not grow:
        raise UsageError("--axes has an effect only with --grow")
    for is_given, name in ((memory, "--memory"), (work != ",".join(WORKS), "--work")):
        if is_given and (profile or grow):
            raise UsageError(f"{name} has an effect only without --profile and --grow")
    if seconds is not None and profile:
        raise UsageError("--seconds has an effect only without --profile")


def _chosen(task: str, sizes: str | None) -> list[tuple[str, list[str]]]:
    """Each task with its sizes; of all tasks, those that have any of the sizes that are named."""
    from lstmdrop.plugin import find_preset, installed_tasks, load_plugin
    from lstmdrop.plugin import sizes as sizes_of

    plugins = [load_plugin(name) for name in (installed_tasks() if task == ALL else [task])]
    named = USUAL if sizes is None else sizes.split(",")
    if task != ALL and sizes is not None:
        return [(task, list(named))]
    found = [(plugin.name, [size for size in named if size in sizes_of(plugin)]) for plugin in plugins]
    if not any(own for _, own in found):
        find_preset(plugins[0], named[0])
    return [(name, own) for name, own in found if own]


def _say(fields: dict[str, object], line: str, as_json: bool) -> None:
    typer.echo(to_json(fields) if as_json else line)


def _line(row: BenchRow) -> str:
    what = row.work if row.beam is None else f"{row.work} {row.beam}"
    peaks = ""
    if row.peak_bytes is not None and row.plain_peak_bytes is not None:
        peaks = f"   {row.peak_bytes / 1e6:,.0f} MB, plain {row.plain_peak_bytes / 1e6:,.0f}"
    return (
        f"{row.task:<8}{row.size:<8}{what:<10}{row.tokens_per_second:>10,.0f} {row.unit}/s"
        f" ±{row.spread / 2 / row.tokens_per_second:.0%}   "
        f"plain loop {row.plain_tokens_per_second:>9,.0f}   {row.ratio:.2f} times as fast   "
        f"{row.share_of_matrix_rate:.0%} of the matrix rate, {row.share_of_bandwidth:.0%} of the bandwidth{peaks}   "
        f"{row.device}"
    )


def _grow(
    task: str,
    sizes: Sequence[str],
    axes: str | None,
    seconds: float | None,
    device: str,
    overrides: Sequence[str],
    as_json: bool,
) -> None:
    from lstmdrop.commands.growth import grow, growth_fits

    for size in sizes:
        rows = []
        named = None if axes is None else axes.split(",")
        for row in grow(task, size=size, axes=named, seconds=seconds or GROWTH_SECONDS, device=device,
                        overrides=overrides):  # fmt: skip
            rows.append(row)
            line = f"{row.axis:<12}{row.value:>10,}{1000 * row.seconds:>12,.2f} ms{row.memory_bytes / 1e6:>12,.1f} MB"
            _say(asdict(row), line, as_json)
        for fit in growth_fits(rows):
            line = f"{fit.axis:<12}{fit.quantity:<8}exponent {fit.exponent:.2f} ± {fit.standard_error:.2f}"
            _say(asdict(fit), f"{line}, expected {fit.expected:.2f}", as_json)
