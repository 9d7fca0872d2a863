"""The experiment grid: run what is missing, go on with what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.errors import as_list
from lstmdrop.reproduction.grid import PACKAGED, Budget, cells, choose, read_grid
from lstmdrop.reproduction.plan import Planned, plan
from lstmdrop.reproduction.runner import CellEnded, CellEvent, Listener, collect, run_cells
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
    jobs: int = 1,
    device: str = "auto",
    data_dir: Path | None = None,
    keep_in: AnyPath | None = None,
    listener: Listener = lambda event: None,
) -> Reproduction:
    """Run every cell of a grid that is not done yet, ``jobs`` at a time; one that fails stops no other.

    ``keep_in`` receives a copy of each finished run without its checkpoints.

    Raises:
        ConfigError: the grid file is wrong.
        UsageError: there is no such experiment.
        KeyboardInterrupt: SIGINT came; the runs wrote their checkpoints, and the same call goes on from there.
    """

    def current() -> list[Planned]:
        return plan_reproduction(
            names, grid=grid, budget=budget, num_seeds=num_seeds, out=out, archive=archive, keep_in=keep_in
        )

    ended: list[CellEnded] = []
    planned = current()
    while ready := [one for one in planned if one.is_ready and one.cell not in {end.planned.cell for end in ended}]:
        ended += run_cells(ready, jobs=jobs, device=device, data_dir=data_dir, listener=listener)
        planned = current()  # what waited for these may be ready now
    collected = collect(planned, Path(keep_in)) if keep_in else []
    return Reproduction(tuple(planned), tuple(ended), tuple(collected))
