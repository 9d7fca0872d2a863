"""The experiments of a grid file: which runs there are to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from lstmdrop.config import RuleName, Section
from lstmdrop.errors import ConfigError, UsageError, did_you_mean
from lstmdrop.presets import read_preset, resolve
from lstmdrop.report.runs import TRIES

PACKAGED = Path(__file__).parent / "paper.toml"
Budget = Literal["cpu", "full"]
_FOLDER = r"^\w[\w.+-]*$"


class Rule(Section):
    """A dropout rule, with settings of its own where it has any."""

    rule: RuleName
    set: tuple[str, ...] = ()
    tries: tuple[tuple[str, ...], ...] = Field(default=(), description="settings to choose from, by validation")
    label: str | None = Field(default=None, pattern=_FOLDER, description="names the runs; default: the rule")

    @property
    def name(self) -> str:
        """What its runs are named after."""
        return self.label or self.rule


class Experiment(Section):
    """Runs that differ in rule and seed alone."""

    name: str = Field(pattern=_FOLDER)
    about: str = ""
    budget: Budget = "cpu"
    task: str
    data: str
    size: str
    set: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = (Rule(rule="none"), Rule(rule="zaremba"))
    seeds: int = Field(default=3, ge=1)
    group: str | None = Field(default=None, pattern=_FOLDER, description="a name for it and others like it")
    average: tuple[int, ...] = Field(default=(), description="how many of the seeds to score as one model too")
    minutes: float | None = Field(default=None, gt=0)
    table: int | None = Field(default=None, ge=1, description="the paper's, whose comparison it makes")


class Grid(Section):
    """A grid file."""

    experiment: tuple[Experiment, ...]


SEED_OF_TRIES = 0
"""Settings are chosen with a seed that is none of those that are counted."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """One run of a grid, or an average of some."""

    experiment: Experiment
    rule: Rule
    seed: int = 1
    """Of an average the first of its seeds."""
    number_of_try: int | None = None
    """From 1: the run is one of those among which the rule's settings are chosen."""
    num_models: int = 1

    @property
    def name(self) -> str:
        """The folder of the run, under that of all runs."""
        if self.number_of_try:
            return f"{self.experiment.name}/{TRIES}/{self.rule.name}-{self.number_of_try}"
        last = f"average-{self.num_models}" if self.num_models > 1 else f"s{self.seed}"
        return f"{self.experiment.name}/{self.rule.name}-{last}"

    @property
    def overrides(self) -> tuple[str, ...]:
        """As ``--set`` takes them; without those that its rule's tries are to choose."""
        tried = self.rule.tries[self.number_of_try - 1] if self.number_of_try else ()
        return (*self.experiment.set, *self.rule.set, *tried)

    @property
    def waits_for(self) -> tuple[GridCell, ...]:
        """The cells that come first: the tries of its settings, or the members of an average."""
        if self.number_of_try:
            return ()
        if self.num_models > 1:
            return tuple(GridCell(self.experiment, self.rule, seed) for seed in range(1, self.num_models + 1))
        numbers = range(1, len(self.rule.tries) + 1)
        return tuple(GridCell(self.experiment, self.rule, SEED_OF_TRIES, number) for number in numbers)


def read_grid(path: Path = PACKAGED) -> Grid:
    """The experiments of a TOML file.

    Raises:
        ConfigError: it cannot be read, a key or a value is wrong, two experiments, or rules of one, share a name,
            or its rules have different numbers of tries.
    """
    try:
        grid = resolve(Grid, [read_preset(path)])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    _require_unlike([experiment.name for experiment in grid.experiment], f"{path}: two experiments are named")
    for experiment in grid.experiment:
        _require_sound(experiment, str(path))
        named = f"{path}: {experiment.name}: give one of its rules a label of its own; two are named"
        _require_unlike([rule.name for rule in experiment.rules], named)
    return grid


def _require_sound(experiment: Experiment, path: str) -> None:
    if any(not 2 <= number <= experiment.seeds for number in experiment.average):
        raise ConfigError(f"{path}: {experiment.name}: average takes numbers from 2 to its {experiment.seeds} seeds")
    if len({len(rule.tries) for rule in experiment.rules}) > 1:
        raise ConfigError(
            f"{path}: {experiment.name}: its rules have not the same number of tries, which is no contest"
        )


def _require_unlike(names: Sequence[str], complaint: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{complaint} {name!r}")


def choose(grid: Grid, names: Sequence[str] = (), budget: Budget = "cpu") -> list[Experiment]:
    """The experiments of these names; ``table1`` stands for those of that table, ``rules`` for those of that group.

    Of a table or a group are chosen those of the budget, and so of all where no name is given; the budget ``full``
    holds all.

    Raises:
        UsageError: there is no such experiment, table or group.
    """
    affordable = [experiment for experiment in grid.experiment if budget in ("full", experiment.budget)]
    known = {experiment.name: [experiment] for experiment in grid.experiment}
    for table in sorted({experiment.table for experiment in grid.experiment if experiment.table}):
        known.setdefault(f"table{table}", [experiment for experiment in affordable if experiment.table == table])
    for group in dict.fromkeys(experiment.group for experiment in grid.experiment if experiment.group):
        known.setdefault(group, [experiment for experiment in affordable if experiment.group == group])
    for name in names:
        if name not in known:
            raise UsageError(f"no experiment {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    if not names:
        return affordable
    return list({experiment.name: experiment for name in names for experiment in known[name]}.values())


def cells(experiments: Sequence[Experiment], num_seeds: int | None = None) -> Iterator[GridCell]:
    """Every run: tries first, then the first seed of all rules before the second, so that pairs are whole early.

    Averages of more seeds than there are to be are left out.
    """
    for experiment in experiments:
        seeds = range(1, (num_seeds or experiment.seeds) + 1)
        singles = [GridCell(experiment, rule, seed) for seed in seeds for rule in experiment.rules]
        yield from dict.fromkeys(first for single in singles for first in single.waits_for)
        yield from singles
        for num_models in experiment.average:
            if num_models in seeds:
                yield from (GridCell(experiment, rule, num_models=num_models) for rule in experiment.rules)
