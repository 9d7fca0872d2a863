"""The learning rate by epoch."""

from __future__ import annotations

from lstmdrop.config import TrainingConfig


def rate_at(config: TrainingConfig, epoch: int) -> float:
    """The rate of ``epoch``, counted from 1: full for ``decay_after`` whole epochs, then divided before each.

    Source: Zaremba et al. 2014, section 4.1. The original code decays one epoch later than the paper says;
    this is the paper.
    """
    return config.rate / config.decay ** max(0, epoch - config.decay_after)
