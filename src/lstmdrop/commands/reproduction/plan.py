"""Which runs of a grid are done, which are broken and which are missing."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lstmdrop.commands.reproduction.grid import Cell
from lstmdrop.commands.settings import resolve_config
from lstmdrop.config import RegularizerConfig, TaskConfig, resolve
from lstmdrop.discovery import load_plugin
from lstmdrop.errors import LstmdropError
from lstmdrop.run import Run

State = Literal["done", "resume", "missing", "impossible"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell and what is to be done about it."""

    cell: Cell
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


def plan(cells: Iterable[Cell], out: Path, archives: Sequence[Path] = ()) -> list[Planned]:
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


def _planned(cell: Cell, out: Path, finished: Mapping[str, Run], broken: Mapping[str, Run]) -> Planned:
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
