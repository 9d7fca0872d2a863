"""A training step as one would write it first, for a benchmark to measure ours against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import torch
from torch import Tensor, nn

from lstmdrop.config import TrainingConfig
from lstmdrop.task import BatchT
from lstmdrop.training.precision import reset_switches


def plain_step(network: nn.Module, config: TrainingConfig, batches: Sequence[BatchT]) -> Callable[[], None]:
    """The plainest step on these batches, over and over, with the flags that PyTorch starts with.

    ``network(batch)`` is the loss.
    """
    parameters = list(network.parameters())
    optimizer = _optimizer(config, parameters)
    endless = cycle(batches)

    def step() -> None:
        reset_switches()
        loss: Tensor = network(next(endless))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, config.clip)
        optimizer.step()

    return step


def _optimizer(config: TrainingConfig, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.rate)
    return torch.optim.SGD(parameters, lr=config.rate)
