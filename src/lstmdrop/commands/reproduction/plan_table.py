"""A plan as a table, and times in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lstmdrop.commands.reproduction.plan import Planned
from lstmdrop.report.table import Cell, Column, Note, Table

_COLUMNS = (
    Column("experiment", is_text=True),
    Column("what", is_text=True, rank=2),
    Column("runs"),
    Column("done"),
    Column("to go on", rank=1),
    Column("missing"),
    Column("time left", is_text=True),
)


def plan_table(planned: Sequence[Planned], jobs: int = 1) -> Table:
    """One line an experiment; what cannot be run here is named below."""
    groups = [(key, list(group)) for key, group in groupby(planned, key=lambda one: one.cell.experiment)]
    problems = dict.fromkeys(
        Note(f"{one.cell.experiment.name} cannot run here: {one.problem}")
        for one in planned
        if one.state == "impossible"
    )
    return Table(
        title="The experiment grid",
        columns=_COLUMNS,
        rows=tuple(_row(experiment.name, experiment.about, group) for experiment, group in groups),
        notes=(Note(f"time left: {time_left(planned, jobs)} with {jobs} at a time"), *problems),
    )


def time_left(planned: Sequence[Planned], jobs: int = 1) -> str:
    """Of the open cells, spread over ``jobs``; those whose time nobody knows make it a bound."""
    times = [one.seconds for one in planned if one.is_open]
    known = [seconds for seconds in times if seconds is not None]
    if times and not known:
        return "unknown"
    total = in_words(max([sum(known) / jobs, *known], default=0.0))
    return total if len(known) == len(times) else f"at least {total}"


def in_words(seconds: float) -> str:
    """``2 h 05 min``, ``45 min``, ``30 s``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _row(name: str, about: str, group: Sequence[Planned]) -> tuple[Cell, ...]:
    states = [one.state for one in group]
    is_open = "missing" in states or "resume" in states
    left = time_left(group) if is_open else "cannot run here" if "impossible" in states else "done"
    return (name, about, len(group), *(states.count(state) for state in ("done", "resume", "missing")), left)
