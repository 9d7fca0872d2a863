"""What a grid asks for and what there is: the plan, as a table too."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from lstmdrop.config import RegularizerConfig, TaskConfig
from lstmdrop.errors import LstmdropError
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
from lstmdrop.report.table import Cell, Column, Note, Table
from lstmdrop.reproduction.grid import GridCell
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config

State = Literal["done", "resume", "missing", "impossible"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell and what is to be done about it."""

    cell: GridCell
    state: State
    directory: Path
    """Where the run is, or will be."""
    seconds: float | None
    """What it will take, None where nothing is known."""
    problem: str = ""
    """Why it is impossible."""

    @property
    def is_open(self) -> bool:
        """Whether it is to be run."""
        return self.state in ("missing", "resume")


def plan(cells: Iterable[GridCell], out: Path, archives: Sequence[Path] = ()) -> list[Planned]:
    """What is to be done for each cell.

    A run with the same configuration anywhere under ``out`` or ``archives`` is done if it is finished; an unfinished
    one under ``out`` is to go on. Of a run that is in both, the archived copy counts: it is not to be kept twice.
    """
    finished = {identity: run for folder in (out, *archives) for identity, run in _runs(folder) if run.is_finished()}
    broken = {identity: run for identity, run in _runs(out) if not run.is_finished()}
    planned = [_planned(cell, out, finished, broken) for cell in cells]
    return [_timed(one, planned) for one in planned]


def experiment_sha256(config: TaskConfig) -> str:
    """Identity of what is computed: two configurations that give the same weights have the same.

    How often is logged and saved makes no difference, nor does the rate of a rule that drops nothing.
    """
    neutral: dict[str, Any] = {"training": _without(config.training, *config.training.neutral)}
    if config.regularizer.rule == "none":
        neutral["regularizer"] = RegularizerConfig(rule="none").model_dump(mode="json")
    settings = {**config.model_dump(mode="json"), **neutral}
    defaults = type(config)(task=config.task).model_dump(mode="json")
    identity = {"task": config.task, "settings": _beyond(settings, defaults)}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _planned(cell: GridCell, out: Path, finished: Mapping[str, Run], broken: Mapping[str, Run]) -> Planned:
    experiment = cell.experiment
    guess = experiment.minutes and 60 * experiment.minutes
    try:
        plugin = load_plugin(experiment.task)
        choices = (experiment.size, experiment.data, cell.rule.rule, cell.seed, None, cell.overrides)
        identity = experiment_sha256(resolve_config(plugin, *choices))
    except LstmdropError as error:
        return Planned(cell, "impossible", out / cell.name, None, str(error))
    if identity in finished:
        return Planned(cell, "done", finished[identity].directory, None)
    if identity in broken:
        return Planned(cell, "resume", broken[identity].directory, guess)
    directory = out / cell.name
    is_taken = directory.exists() and any(directory.iterdir())
    return Planned(cell, "missing", Path(f"{directory}-{identity[:8]}") if is_taken else directory, guess)


def _runs(folder: Path) -> Iterable[tuple[str, Run]]:
    for path in sorted(folder.rglob("config.json")):
        run = Run(path.parent)
        try:
            config = run.config()
            plugin = load_plugin(str(config.get("task")))
            yield experiment_sha256(resolve(plugin.config, [config])), run
        except LstmdropError:
            continue  # a run that cannot be read is none; report names it


def _timed(one: Planned, planned: Sequence[Planned]) -> Planned:
    """With the time of finished runs of the same experiment and rule, else of the experiment, in place of the guess."""
    if not one.is_open:
        return one
    same = [other for other in planned if other.state == "done" and other.cell.experiment == one.cell.experiment]
    times = _seconds(other for other in same if other.cell.rule == one.cell.rule) or _seconds(same)
    seconds = statistics.median(times) if times else one.seconds
    return Planned(one.cell, one.state, one.directory, seconds)


def _seconds(planned: Iterable[Planned]) -> list[float]:
    found: list[float] = []
    for one in planned:
        try:
            found.append(float(Run(one.directory).result()["train_seconds"]))
        except (LstmdropError, KeyError, TypeError, ValueError):
            continue
    return found


def _without(section: Any, *names: str) -> dict[str, Any]:
    defaults = type(section)().model_dump(mode="json")
    return {**section.model_dump(mode="json"), **{name: defaults[name] for name in names}}


def _beyond(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, so that a setting which a later version adds changes no identity."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found[key] = _beyond(value, default)
        elif value != default:
            found[key] = value
    return found


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
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _row(name: str, about: str, group: Sequence[Planned]) -> tuple[Cell, ...]:
    states = [one.state for one in group]
    is_open = "missing" in states or "resume" in states
    left = time_left(group) if is_open else "cannot run here" if "impossible" in states else "done"
    return (name, about, len(group), *(states.count(state) for state in ("done", "resume", "missing")), left)
