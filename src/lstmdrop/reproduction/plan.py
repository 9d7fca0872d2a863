"""What a grid asks for and what there is: the plan, as a table too."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from lstmdrop.config import RegularizerConfig, TaskConfig
from lstmdrop.errors import DataError, LstmdropError
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
from lstmdrop.report.rules import KEPT_TRIES, read_tries
from lstmdrop.report.table import Cell, Column, Note, Table
from lstmdrop.reproduction.grid import GridCell
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config

State = Literal["done", "resume", "missing", "waiting", "impossible"]


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
    overrides: tuple[str, ...] = ()
    """As ``--set`` takes them, those that its rule's tries chose among them."""
    members: tuple[Path, ...] = ()
    """The runs of an average."""
    valid: float | None = None
    """What a try that is done scored on validation, turned so that less is better."""

    @property
    def is_open(self) -> bool:
        """Whether it is to be run, now or when what it waits for is done."""
        return self.state in ("missing", "resume", "waiting")

    @property
    def is_ready(self) -> bool:
        """Whether it can be run now."""
        return self.state in ("missing", "resume")


def plan(cells: Iterable[GridCell], out: Path, archives: Sequence[Path] = ()) -> list[Planned]:
    """What is to be done for each cell; what one waits for is among those before it.

    A run with the same configuration anywhere under ``out`` or ``archives`` is done if it is finished; an unfinished
    one under ``out`` is to go on. Of a run that is in both, the archived copy counts: it is not to be kept twice.
    """
    finished = {identity: run for folder in (out, *archives) for identity, run in _runs(folder) if run.is_finished()}
    broken = {identity: run for identity, run in _runs(out) if not run.is_finished()}
    there = _There(out, archives, finished, broken, _tries(archives))
    planned: dict[GridCell, Planned] = {}
    for cell in cells:
        planned[cell] = _planned(cell, [planned[first] for first in cell.waits_for], there)
    return [_timed(one, list(planned.values())) for one in planned.values()]


@dataclass(frozen=True, slots=True)
class _There:
    """What there is already."""

    out: Path
    archives: Sequence[Path]
    finished: Mapping[str, Run]
    broken: Mapping[str, Run]
    tries: Mapping[str, float]


def _tries(archives: Sequence[Path]) -> dict[str, float]:
    """By identity the validation score of every try that was kept, turned so that less is better."""
    folders = (path.parent for archive in archives for path in sorted(archive.rglob(KEPT_TRIES)))
    return {one["experiment_sha256"]: _turned(one["valid"]) for folder in folders for one in read_tries(folder)}


def _turned(score: Mapping[str, Any]) -> float:
    value = float(score["value"])
    return math.inf if math.isnan(value) else -value if score["higher_is_better"] else value


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


def _planned(cell: GridCell, first: Sequence[Planned], there: _There) -> Planned:
    guess = cell.experiment.minutes and 60 * cell.experiment.minutes
    directory = there.out / cell.name
    impossible = next((one.problem for one in first if one.state == "impossible"), "")
    if impossible:
        return Planned(cell, "impossible", directory, None, impossible)
    if not all(one.state == "done" for one in first):
        return Planned(cell, "waiting", directory, guess if cell.num_models == 1 else None)
    if cell.num_models > 1:
        return _planned_average(cell, [one.directory for one in first], there)
    chosen = min(first, key=lambda one: math.inf if one.valid is None else one.valid, default=None)
    return _planned_run(cell, chosen.overrides if chosen else cell.overrides, guess, there)


def _planned_average(cell: GridCell, members: Sequence[Path], there: _There) -> Planned:
    """Done where one of its name is of the same members, whatever the grid said when it was made."""
    identities = sorted(str(Run(member).result().get("config_sha256")) for member in members)
    found = Planned(cell, "missing", there.out / cell.name, None, members=tuple(members))
    places = [folder for root in (*there.archives, there.out) for folder in _named(root / cell.name)]
    for run in map(Run, places):
        if run.is_finished() and run.result().get("members") == identities:
            return replace(found, state="done", directory=run.directory)
    return _where_there_is_room(found, hashlib.sha256("".join(identities).encode()).hexdigest())


def _named(directory: Path) -> list[Path]:
    """The folder, and those that had to take another name beside it."""
    return [directory, *sorted(directory.parent.glob(f"{directory.name}-*"))]


def _where_there_is_room(planned: Planned, identity: str) -> Planned:
    directory = planned.directory
    is_taken = directory.exists() and any(directory.iterdir())
    return replace(planned, directory=Path(f"{directory}-{identity[:8]}")) if is_taken else planned


def _planned_run(cell: GridCell, overrides: tuple[str, ...], guess: float | None, there: _There) -> Planned:
    experiment = cell.experiment
    directory = there.out / cell.name
    try:
        plugin = load_plugin(experiment.task)
        choices = (experiment.size, experiment.data, cell.rule.rule, cell.seed, None, overrides)
        identity = experiment_sha256(resolve_config(plugin, *choices))
    except LstmdropError as error:
        return Planned(cell, "impossible", directory, None, str(error))
    found = Planned(cell, "missing", directory, guess, overrides=overrides)
    if cell.number_of_try and identity in there.tries:
        return replace(found, state="done", seconds=None, valid=there.tries[identity])
    if run := there.finished.get(identity):
        valid = _turned(valid_score(run)) if cell.number_of_try else None
        return replace(found, state="done", directory=run.directory, seconds=None, valid=valid)
    if run := there.broken.get(identity):
        return replace(found, state="resume", directory=run.directory)
    return _where_there_is_room(found, identity)


def valid_score(run: Run) -> Mapping[str, Any]:
    """The first score on the validation split, as ``result.json`` has it.

    Raises:
        DataError: there is none.
    """
    for row in run.result().get("scores", ()):
        if row.get("split") == "valid":
            return dict(row)
    raise DataError(f"{run.directory}/result.json has no score of the validation split")


def _runs(folder: Path) -> Iterable[tuple[str, Run]]:
    for path in sorted(folder.rglob("config.json")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # a folder on its way to its name
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
    if one.cell.num_models > 1:
        return one
    same = [other for other in planned if other.state == "done" and other.cell.experiment == one.cell.experiment]
    times = _seconds(other for other in same if other.cell.rule == one.cell.rule) or _seconds(same)
    seconds = statistics.median(times) if times else one.seconds
    return replace(one, seconds=seconds)


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
    is_open = any(one.is_open for one in group)
    left = time_left(group) if is_open else "cannot run here" if "impossible" in states else "done"
    missing = states.count("missing") + states.count("waiting")
    return (name, about, len(group), states.count("done"), states.count("resume"), missing, left)
