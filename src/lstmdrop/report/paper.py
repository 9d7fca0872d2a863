"""The numbers of the paper (Zaremba et al. 2014, arXiv 1409.2329) and the runs that reproduce them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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

    def matches(self, run: RunSummary) -> bool:
        """Whether ``run`` is of this recipe; a single one that does not say its p is taken at its size's word."""
        mine = (self.task, self.data, self.size, self.regularizer, self.num_models)
        theirs = (run.task, run.data, run.size, run.regularizer, run.num_models)
        return mine == theirs and (self.dropout is None or _drops(run, self.dropout))


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
    values: tuple[float, ...]
    """In the order of the table's columns."""
    target: Target
    command: str
    """What makes the run that matches ``target``."""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table of the paper."""

    title: str
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...]


def _drops(run: RunSummary, rate: float) -> bool:
    if run.dropout is None:
        return run.num_models == 1  # an average says its p, unless its members differ in it
    return math.isclose(run.dropout, rate)


def _single(label: str, valid: float, test: float, target: Target) -> PaperRow:
    command = f"lstmdrop train lm --data ptb --size {target.size}{_rule(target)}"
    return PaperRow(label, (valid, test), target, command)


def _average(num_models: int, valid: float, test: float, target: Target) -> PaperRow:
    kind = "non-regularised" if target.regularizer == "none" else f"{target.size} regularised"
    name = f"runs/lm-{target.size}-ptb{'-none' if target.regularizer == 'none' else ''}"
    seeds = f"{{1..{num_models}}}"  # the shell makes one --run of each seed
    command = f"lstmdrop eval lm --run={name}-s{seeds} --out {name}-average-{num_models}"
    averaged = replace(target, num_models=num_models)
    return PaperRow(f"averaging {num_models} {kind} LSTMs", (valid, test), averaged, command)


def _rule(target: Target) -> str:
    return "" if target.regularizer == "zaremba" else f" --regularizer {target.regularizer}"


_SMALL = Target("lm", "ptb", "small", "none", epochs=13)
_MEDIUM = Target("lm", "ptb", "medium", "zaremba", dropout=0.5, epochs=39)
_LARGE = Target("lm", "ptb", "large", "zaremba", dropout=0.65, epochs=55)

TABLE_1 = PaperTable(
    title="Table 1 of the paper: Penn Treebank, perplexity (lower is better)",
    columns=(PaperColumn("valid", "valid", "perplexity"), PaperColumn("test", "test", "perplexity")),
    rows=(
        _single("non-regularised LSTM, small", 120.7, 114.5, _SMALL),
        _single("medium regularised LSTM", 86.2, 82.7, _MEDIUM),
        _single("large regularised LSTM", 82.2, 78.4, _LARGE),
        _average(2, 100.4, 96.1, _SMALL),
        _average(5, 87.9, 84.1, _SMALL),
        _average(10, 83.5, 80.0, _SMALL),
        _average(2, 80.6, 77.0, _MEDIUM),
        _average(5, 76.7, 73.3, _MEDIUM),
        _average(10, 75.2, 72.0, _MEDIUM),
        _average(2, 76.9, 73.6, _LARGE),
        _average(10, 72.8, 69.5, _LARGE),
        _average(38, 71.9, 68.7, _LARGE),
    ),
    notes=(
        "The paper's code makes its validation perplexity about 1% too low; its test perplexity is exact.",
        "Averaging needs the single models of seeds 1, 2, ... to be trained first (--seed).",
    ),
)

PAPER_TABLES = (TABLE_1,)
