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

PACKAGED = Path(__file__).parent / "paper.toml"
Budget = Literal["cpu", "full"]
_FOLDER = r"^\w[\w.+-]*$"


class Rule(Section):
    """A dropout rule, with settings of its own where it has any."""

    rule: RuleName
    set: tuple[str, ...] = ()
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
    minutes: float | None = Field(default=None, gt=0)
    table: int | None = Field(default=None, ge=1, description="the paper's, whose comparison it makes")


class Grid(Section):
    """A grid file."""

    experiment: tuple[Experiment, ...]


@dataclass(frozen=True, slots=True)
class GridCell:
    """One run of a grid."""

    experiment: Experiment
    rule: Rule
    seed: int

    @property
    def name(self) -> str:
        """The folder of the run, under that of all runs."""
        return f"{self.experiment.name}/{self.rule.name}-s{self.seed}"

    @property
    def overrides(self) -> tuple[str, ...]:
        """As ``--set`` takes them."""
        return (*self.experiment.set, *self.rule.set)


def read_grid(path: Path = PACKAGED) -> Grid:
    """The experiments of a TOML file.

    Raises:
        ConfigError: it cannot be read, a key or a value is wrong, or two experiments, or rules of one, share a name.
    """
    try:
        grid = resolve(Grid, [read_preset(path)])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    _require_unlike([experiment.name for experiment in grid.experiment], f"{path}: two experiments are named")
    for experiment in grid.experiment:
        named = f"{path}: {experiment.name}: give one of its rules a label of its own; two are named"
        _require_unlike([rule.name for rule in experiment.rules], named)
    return grid


def _require_unlike(names: Sequence[str], complaint: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{complaint} {name!r}")


def choose(grid: Grid, names: Sequence[str] = (), budget: Budget = "cpu") -> list[Experiment]:
    """The experiments of these names; ``table1`` stands for those of that table, no name for all, of the budget.

    The budget ``full`` holds all.

    Raises:
        UsageError: there is no such experiment or table.
    """
    affordable = [experiment for experiment in grid.experiment if budget in ("full", experiment.budget)]
    known = {experiment.name: [experiment] for experiment in grid.experiment}
    for table in sorted({experiment.table for experiment in grid.experiment if experiment.table}):
        known.setdefault(f"table{table}", [experiment for experiment in affordable if experiment.table == table])
    for name in names:
        if name not in known:
            raise UsageError(f"no experiment {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    if not names:
        return affordable
    return list({experiment.name: experiment for name in names for experiment in known[name]}.values())


def cells(experiments: Sequence[Experiment], num_seeds: int | None = None) -> Iterator[GridCell]:
    """Every run, the first seed of all rules before the second, so that pairs are whole early."""
    for experiment in experiments:
        for seed in range(1, (num_seeds or experiment.seeds) + 1):
            for rule in experiment.rules:
                yield GridCell(experiment, rule, seed)
