"""What a row of the paper asks of a run that may stand beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lstmdrop.report.summary import RunSummary


@dataclass(frozen=True, slots=True)
class Target:
    """Which run stands beside a row of the paper."""

    task: str
    data: str
    size: str
    regularizer: str
    num_models: int = 1
    dropout: float | None = None
    """p on the non-recurrent connections in the paper; None where nothing is dropped."""
    epochs: int | None = None
    settings: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """By dotted key the values that are the paper's; a run that does not know the key has its default."""
    measured: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By split and score what its signature says of the paper's data and units: a name alone would not tell."""

    def matches(self, run: RunSummary) -> bool:
        """Whether ``run`` is of this recipe; a single one that does not say its p is taken at its size's word."""
        mine = (self.task, self.data, self.size, self.regularizer, self.num_models)
        theirs = (run.task, run.data, run.size, run.regularizer, run.num_models)
        same_settings = all(run.settings.get(key, values[0]) in values for key, values in self.settings.items())
        same_rate = self.dropout is None or _drops(run, self.dropout)
        return mine == theirs and same_settings and same_rate and self._measures(run)

    def _measures(self, run: RunSummary) -> bool:
        scores = ((run.score(*key), parts) for key, parts in self.measured.items())
        return all(score is None or set(parts.split("|")) <= set(score.signature.split("|")) for score, parts in scores)


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A number that a table of the paper gives in every row."""

    label: str
    split: str
    metric: str


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One line of a table of the paper."""

    label: str
    values: tuple[float | None, ...]
    """In the order of the table's columns; None where the paper gives no number."""
    target: Target | None
    """None for another system, which no run of ours is."""
    command: str = ""
    """What makes the run that matches ``target``."""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table of the paper."""

    title: str
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = ()


def _drops(run: RunSummary, rate: float) -> bool:
    if run.dropout is None:
        return run.num_models == 1  # an average says its p, unless its members differ in it
    return math.isclose(run.dropout, rate)
