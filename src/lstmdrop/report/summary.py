"""What a finished run reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lstmdrop.metrics.score import Score


@dataclass(frozen=True, slots=True)
class SplitScore:
    """A score and the split it was made on."""

    split: str
    score: Score


@dataclass(frozen=True, slots=True)
class Gap:
    """How much better a model does on what it was trained on."""

    metric: str
    training: float
    validation: float
    with_dropout: bool
    """Whether dropout was on for the training score, as it is while the epoch runs."""

    @property
    def value(self) -> float:
        """Training minus validation."""
        return self.training - self.validation


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One finished run; None stands for what its directory does not say."""

    directory: Path
    task: str
    data: str
    size: str
    regularizer: str
    seed: int
    scores: tuple[SplitScore, ...]
    num_models: int = 1
    """Above 1 where the probabilities of so many models were averaged."""
    dropout: float | None = None
    """p on the non-recurrent connections; None under the rule ``none``, whatever its configuration says."""
    recurrent_dropout: float | None = None
    num_parameters: int | None = None
    train_seconds: float | None = None
    tokens_per_second: float | None = None
    epochs: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Versions, device and hashes, as ``result.json`` gives them."""
    gap: Gap | None = None
    """The generalisation gap at the epoch that was kept."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The configuration by dotted key (``training.epochs``)."""

    def score(self, split: str, name: str) -> Score | None:
        """The score of that name on that split, None if the run has none."""
        found = (entry.score for entry in self.scores if entry.split == split and entry.score.name == name)
        return next(found, None)
