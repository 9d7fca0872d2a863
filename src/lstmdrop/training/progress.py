"""How a training goes: its progress, and the events that tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstmdrop.config import Split, TaskConfig, TrainingConfig
from lstmdrop.metrics.score import Score
from lstmdrop.parsing import as_number


@dataclass(slots=True)
class Progress:
    """Counters that a resumed run takes up again."""

    epoch: int = 1
    position: int = 0
    """Steps made in this epoch."""
    step: int = 0
    items: int = 0
    seconds: float = 0.0
    """Spent in training steps."""
    epoch_items: int = 0
    logged_items: int = 0
    logged_seconds: float = 0.0
    best: tuple[Score, ...] = ()
    """All scores of the best epoch so far; none before the first validation."""
    epochs_since_best: int = 0
    history: tuple[float, ...] = ()
    """The first score of each epoch."""
    epochs_on_plateau: int = 0
    """Since the best epoch, or since the rate fell."""
    num_drops: int = 0
    """Of the rate."""
    averages: bool = False
    """Whether the trigger of averaging has been met."""
    num_parts: int = 1
    """In which each batch is computed since memory ran out."""

    def count(self, items: int) -> None:
        """Note that so many tokens or frames were trained on."""
        self.items += items
        self.epoch_items += items
        self.logged_items += items

    def start_epoch(self, new_best: Sequence[Score]) -> None:
        """Stand at the start of the next epoch; ``new_best`` are the scores just reached, if they are the best."""
        self.best = tuple(new_best) or self.best
        self.epochs_since_best = 0 if new_best else self.epochs_since_best + 1
        self.epoch, self.position, self.epoch_items = self.epoch + 1, 0, 0

    def note(self, score: Score, is_best: bool, config: TrainingConfig) -> None:
        """What a score of the validation means for the epochs to come: a lower rate, or averaging."""
        self.epochs_on_plateau = 0 if is_best else self.epochs_on_plateau + 1
        if self.epochs_on_plateau >= config.plateau_patience:
            self.num_drops, self.epochs_on_plateau = self.num_drops + 1, 0
        if config.average_after is not None and len(self.history) > config.average_after:
            before = self.history[: -config.average_after]
            self.averages |= score.value < max(before) if score.higher_is_better else score.value > min(before)
        self.history = (*self.history, score.value)

    def is_at_the_end(self, config: TrainingConfig) -> bool:
        """Whether all epochs are made, or no score has been better for too long."""
        is_out_of_patience = config.patience is not None and self.epochs_since_best >= config.patience
        return self.epoch > config.epochs or is_out_of_patience

    def averages_by(self, config: TrainingConfig) -> bool:
        """Whether the weights are to be averaged by now."""
        return self.averages or (config.average_from is not None and self.epoch >= config.average_from)

    def share(self, steps_per_epoch: int, config: TrainingConfig) -> float:
        """Of all steps, those that are made when the next one is half done."""
        in_epoch = min(1.0, (self.position + 0.5) / steps_per_epoch)
        return (self.epoch - 1 + in_epoch) / config.epochs

    def start_log_interval(self) -> None:
        """Count speed and loss from here on."""
        self.logged_items, self.logged_seconds = 0, self.seconds

    def as_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Progress:
        """What `as_json` gave; further keys are ignored."""
        known = {
            name: values[name] for name in cls.__dataclass_fields__ if name in values
        }  # earlier versions had fewer
        best = known["best"] or ()  # and kept the first score alone
        best = (best,) if isinstance(best, Mapping) else best
        scores = tuple(Score(**{**score, "value": as_number(score["value"])}) for score in best)
        return cls(**{**known, "best": scores, "history": tuple(known.get("history", ()))})


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
    num_threads: int = 1
    """Of a CPU, on which products run."""
    num_parts: int = 1
    """In which each batch is computed since memory ran out."""


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


@dataclass(frozen=True, slots=True)
class Started:
    """Training is about to begin, or to go on."""

    config: TaskConfig
    directory: Path
    summary: Mapping[str, str]
    num_parameters: int
    steps_per_epoch: int
    step: int
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Finished:
    """The result has been written."""

    directory: Path
    result: Mapping[str, Any]
