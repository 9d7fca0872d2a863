"""What happens while a model trains: frozen events, one class each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstmdrop.metrics.score import Score
from lstmdrop.task import Split


@dataclass(frozen=True, slots=True)
class Stepped:
    """One update of the weights has been made; between two of these the trainer can be saved or left."""

    step: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Logged:
    """How training went since the last of these."""

    step: int
    epoch: int
    loss: float
    """Mean negative log-likelihood per item, in nats, dropout on."""
    rate: float
    gradient_norm: float
    """Of the last step, before clipping."""
    tokens_per_second: float
    seconds: float
    """Spent in training since the beginning, evaluation not counted."""


@dataclass(frozen=True, slots=True)
class Validating:
    """An epoch's last step is made and the model is about to be scored: until then nothing changes."""

    step: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An epoch has ended and the model has been scored; the trainer stands at the next epoch's start."""

    step: int
    epoch: int
    split: Split
    scores: Sequence[Score]
    training_loss: float
    """Mean negative log-likelihood per item over the epoch, in nats, dropout on."""
    is_best: bool


Event = Stepped | Logged | Validating | Evaluated
