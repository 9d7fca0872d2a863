"""The gradient of batches, summed up on one device, in parts where memory has no room for a whole one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol

import torch
from torch import Tensor

from lstmdrop.config import TrainingConfig
from lstmdrop.task import BatchT, Loss
from lstmdrop.training.device import autocast
from lstmdrop.training.memory import undoing, within_memory
from lstmdrop.training.pace import Sums
from lstmdrop.training.progress import Progress


class Gradient(Protocol[BatchT]):
    """What gives the parameters their gradient."""

    def of(self, objective: Callable[[BatchT], Loss], batches: Sequence[BatchT | None], progress: Progress) -> Sums:
        """The sums over batches that are there; ``progress`` notes in how many parts they are computed from here on."""
        ...


class GradientSum(Generic[BatchT]):
    """Adds the gradients of a loss to those of the parameters; of several models it keeps as many losses."""

    def __init__(self, parameters: Sequence[Tensor], config: TrainingConfig, num_models: int | None = None) -> None:
        self.parameters = parameters
        self.config = config
        shape = () if num_models is None else (num_models,)
        self.loss = torch.zeros(shape, dtype=torch.float64, device=parameters[0].device)

    def of(self, objective: Callable[[BatchT], Loss], batches: Sequence[BatchT | None], progress: Progress) -> Sums:
        """The sums over batches that are there; ``progress`` notes in how many parts they are computed from here on."""
        found, progress.num_parts = within_memory(
            [batch for batch in batches if batch is not None],
            lambda parts: self._add(objective, parts),
            lambda: undoing([self.loss], self.parameters, objective),
            progress.num_parts,
            f"step {progress.step}",
        )
        return found

    def _add(self, objective: Callable[[BatchT], Loss], parts: Sequence[BatchT]) -> Sums:
        divisor = num_items = 0
        self.loss.zero_()
        for batch in parts:
            with autocast(self.config, self.loss.device):
                loss = objective(batch)
            loss.total.backward()  # type: ignore[no-untyped-call]
            divisor, num_items = divisor + loss.divisor, num_items + loss.count
            plain = loss.total if loss.plain is None else loss.plain
            self.loss += plain.detach()
        return Sums(self.loss, num_items, divisor)
