"""The experiment grid: run what is missing, go on with what is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.errors import as_list
from lstmdrop.reproduction.cluster import LOCAL, cluster, require_place
from lstmdrop.reproduction.grid import PACKAGED, Budget, cells, choose, read_grid
from lstmdrop.reproduction.plan import Planned, plan
from lstmdrop.reproduction.runner import CellEnded, CellEvent, Listener, Place, Processes, collect, run_cells
from lstmdrop.settings import AnyPath, as_paths

__all__ = ["ARCHIVE", "DEFAULT_OUT", "CellEvent", "Reproduction", "plan_reproduction", "reproduce"]

DEFAULT_OUT = Path("runs/reproduce")
ARCHIVE = Path("docs/results")
"""Runs that lie here count as done too."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of a grid."""

    planned: tuple[Planned, ...]
    ended: tuple[CellEnded, ...]
    collected: tuple[Path, ...]

    @property
    def failed(self) -> tuple[CellEnded, ...]:
        """The runs that ended with an error."""
        return tuple(end for end in self.ended if end.exit_code)


def plan_reproduction(
    names: Sequence[str] = (),
    *,
    grid: AnyPath = PACKAGED,
    budget: Budget = "cpu",
    num_seeds: int | None = None,
    out: AnyPath = DEFAULT_OUT,
    archive: AnyPath = ARCHIVE,
    keep_in: AnyPath | None = None,
) -> list[Planned]:
    """Every cell of the chosen experiments, and whether it is done, broken, missing or impossible here.

    What lies in ``archive`` or ``keep_in`` under any name is done.

    Raises:
        ConfigError: the grid file is wrong.
        UsageError: there is no such experiment.
    """
    archives = as_paths([archive] if keep_in is None else [archive, keep_in])
    chosen = choose(read_grid(Path(grid)), as_list("names", names), budget)
    return plan(cells(chosen, num_seeds), Path(out), archives)


def reproduce(
    names: Sequence[str] = (),
    *,
    grid: AnyPath = PACKAGED,
    budget: Budget = "cpu",
    num_seeds: int | None = None,
    out: AnyPath = DEFAULT_OUT,
    archive: AnyPath = ARCHIVE,
    jobs: int | None = None,
    device: str = "auto",
    data_dir: Path | None = None,
    keep_in: AnyPath | None = None,
    on: str = LOCAL,
    threads: int | None = None,
    listener: Listener = lambda event: None,
) -> Reproduction:
    """Run every cell of a grid that is not done yet; one that fails stops no other.

    ``on`` says where: ``local``, where ``jobs`` cells (1) run at a time and share the cores; ``ray``, the Ray cluster
    that this machine is in or, without one, Ray on this machine alone; ``ray://HOST:PORT``, a cluster elsewhere. On Ray
    a cell is a task of ``threads`` cores (1), begun again where its machine is lost, and ``jobs`` bounds how many are
    there. ``keep_in`` receives a copy of each finished run without its checkpoints.

    Raises:
        ConfigError: the grid file is wrong.
        UsageError: there is no such experiment or place, or no machine of the cluster has the cores that a cell takes.
        DataError: no cluster answers.
        MissingPartError: ray is not installed.
        KeyboardInterrupt: SIGINT came; the runs wrote their checkpoints, and the same call goes on from there.
    """
    require_place(on)

    def current() -> list[Planned]:
        return plan_reproduction(
            names, grid=grid, budget=budget, num_seeds=num_seeds, out=out, archive=archive, keep_in=keep_in
        )

    ended: list[CellEnded] = []
    if any(one.is_ready for one in current()):
        with _place(on, Path(out), jobs, threads, device, data_dir, listener) as place:
            ended = run_cells(current, place, listener)
    planned = current()
    collected = collect(planned, Path(keep_in)) if keep_in else []
    return Reproduction(tuple(planned), tuple(ended), tuple(collected))


@contextmanager
def _place(
    on: str,
    out: Path,
    jobs: int | None,
    threads: int | None,
    device: str,
    data_dir: Path | None,
    listener: Listener,
) -> Iterator[Place]:
    if on == LOCAL:
        yield Processes(jobs or 1, threads=threads, device=device, data_dir=data_dir)
        return
    with cluster(on, out, jobs=jobs, threads=threads, device=device, data_dir=data_dir) as machines:
        listener(machines.found)
        yield machines
