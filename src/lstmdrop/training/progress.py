"""How far a training run has come: the countable part of its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lstmdrop.metrics.score import Score


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

    def start_log_interval(self) -> None:
        """Count speed and loss from here on."""
        self.logged_items, self.logged_seconds = 0, self.seconds

    def as_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Progress:
        """What `as_json` gave; further keys are ignored."""
        known = {name: values[name] for name in cls.__dataclass_fields__}
        best = known["best"] or ()  # earlier versions kept the first score alone
        best = (best,) if isinstance(best, Mapping) else best
        return cls(**{**known, "best": tuple(Score(**score) for score in best)})
