"""``lstmdrop reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lstmdrop.cli import options

if TYPE_CHECKING:
    from lstmdrop.commands.reproduce import Reproduction
    from lstmdrop.reproduction.plan import Planned

Budget = Literal["cpu", "full"]


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Experiments of the grid, or table1 to table4. Default: all of the budget.", metavar="TABLE"
        ),
    ] = None,
    budget: Annotated[Budget, typer.Option(help="cpu: two cores overnight; full: all of it.")] = "cpu",
    num_seeds: Annotated[
        int | None, typer.Option("--seeds", help="Seeds of each rule, in place of the grid's.", min=1, metavar="N")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the plan; run nothing.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(help="Runs at a time. Default: 1; on Ray as many as it has room for.", min=1, metavar="N"),
    ] = None,
    on: Annotated[
        str, typer.Option(help="local, ray, or the Ray cluster at an address.", metavar="local|ray|ray://HOST:PORT")
    ] = "local",
    threads: Annotated[
        int | None,
        typer.Option(help="Cores of each run. Default: all, shared by --jobs; on Ray 1.", min=1, metavar="N"),
    ] = None,
    grid: Annotated[
        Path | None, typer.Option(help="A grid of your own, in place of the packaged one.", metavar="FILE")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the runs go. Default: runs/reproduce", metavar="DIR")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Copy finished runs here, checkpoints left out.", metavar="DIR")
    ] = None,
    device: options.Device = "auto",
    data_dir: options.DataDir = None,
) -> None:
    """Run the experiments that are missing, go on with broken ones, and say at the end what failed."""
    from lstmdrop.cli import render
    from lstmdrop.commands.reproduce import DEFAULT_OUT, plan_reproduction, reproduce
    from lstmdrop.reproduction.cluster import require_place
    from lstmdrop.reproduction.grid import PACKAGED
    from lstmdrop.reproduction.plan import plan_table

    grid, out = grid or PACKAGED, out or DEFAULT_OUT
    require_place(on)
    planned = plan_reproduction(names or (), grid=grid, budget=budget, num_seeds=num_seeds, out=out, keep_in=keep)
    render.print_tables([plan_table(planned, jobs or 1)])
    if show:
        return
    view = _View(planned, jobs or 1)
    try:
        done = reproduce(
            names or (), grid=grid, budget=budget, num_seeds=num_seeds, out=out, jobs=jobs, device=device,
            data_dir=data_dir, keep_in=keep, on=on, threads=threads, listener=view.show,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    _finish(done)


class _View:
    """A line for each run that begins and ends, with the time left."""

    def __init__(self, planned: list[Planned], jobs: int) -> None:
        self.open = [one for one in planned if one.is_open]
        self.total = len(self.open)
        self.jobs = jobs
        self.num_ended = 0

    def show(self, event: object) -> None:
        from lstmdrop.reproduction.plan import in_words, time_left
        from lstmdrop.reproduction.runner import CellEnded, CellStarted, PlaceFound

        if isinstance(event, PlaceFound):
            self.jobs = event.num_at_a_time
            typer.echo(f"{event.about}, {self.jobs} at a time", err=True)
        elif isinstance(event, CellStarted):
            verb = "goes on" if event.planned.state == "resume" else "begins"
            when = " when there is room" if event.is_queued else ""
            typer.echo(f"{event.planned.cell.name} {verb}{when}; it writes to {event.log}", err=True)
        elif isinstance(event, CellEnded):
            self.num_ended += 1
            self.open = [one for one in self.open if one.cell != event.planned.cell]
            remark = f" ({event.message})" if event.message else ""
            how = f"failed with {event.exit_code}: {event.message}" if event.exit_code else f"done{remark}"
            typer.echo(
                f"[{self.num_ended}/{self.total}] {event.planned.cell.name} {how}, {in_words(event.seconds)}; "
                f"time left: {time_left(self.open, self.jobs)}",
                err=True,
            )


def _finish(done: Reproduction) -> None:
    for path in done.collected:
        typer.echo(f"kept {path}", err=True)
    num_done = sum(one.state == "done" for one in done.planned)
    typer.echo(f"{num_done} of {len(done.planned)} runs are done")
    for end in done.failed:
        typer.echo(f"failed: {end.planned.cell.name}: {end.message}", err=True)
    for one in done.planned:
        if one.state == "impossible":
            typer.echo(f"not run: {one.cell.name}: {one.problem}", err=True)
    if num_done < len(done.planned):
        raise typer.Exit(1)
