"""How the steps of several workers become those of one: by their gradients, or now and then by their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lstmdrop.training.optimizer import optimizer_tensors
from lstmdrop.training.workers import Workers


class Sums(NamedTuple):
    """What the batches of a step, or of several, add up to."""

    loss: Tensor | float = 0.0
    num_items: int = 0
    divisor: int = 0

    def plus(self, more: Sums) -> Sums:
        """With those of further batches."""
        return Sums(self.loss + more.loss, self.num_items + more.num_items, self.divisor + more.divisor)


NOTHING = Sums()


class InStep:
    """All workers make the step of the whole batch: gradients and divisors are summed, then divided, then clipped.

    So a worker whose share of a batch is small weighs no more than its share, and one without any adds zeros.
    """

    is_settled = True
    """Whether all workers have the same weights."""
    checks_each_step = True
    """Whether the sums of a step are those of all, so that all find an error or none."""

    def __init__(self, workers: Workers, parameters: Sequence[nn.Parameter]) -> None:
        self._workers = workers
        self._parameters = parameters

    def before_step(self, sums: Sums) -> tuple[int, Sums]:
        """Make the gradients those of all workers; what they are to be divided by, and what is to be counted now."""
        if self._workers.count > 1:
            sums = _summed(self._workers, self._parameters, sums)
        return sums.divisor, sums

    def after_step(self, position: int, norm: Tensor) -> Sums:
        """What is to be counted now, of this step or of earlier ones."""
        return NOTHING

    def settle(self, norm: Tensor) -> Sums:
        """The same at the end of an epoch, when all get the same weights and hear of each other's wishes."""
        self._workers.summed([], [])
        return NOTHING


class InRounds:
    """Workers make ``every`` steps by themselves; then all get the mean of their weights and of the optimiser's memory.

    The mean is weighted by the items that each was trained on. Source: local SGD (Stich 2019).
    """

    checks_each_step = False

    def __init__(self, workers: Workers, parameters: Sequence[nn.Parameter], optimizer: Optimizer, every: int) -> None:
        self._workers = workers
        self._parameters = parameters
        self._optimizer = optimizer
        self._every = every
        self._round = NOTHING
        self.is_settled = True

    def before_step(self, sums: Sums) -> tuple[int, Sums]:
        """Leave the gradients this worker's own."""
        for parameter in self._parameters:
            parameter.grad = _gradient(parameter)  # every worker's optimiser counts the same steps
        self._round = self._round.plus(sums)
        self.is_settled = False
        return sums.divisor, NOTHING

    def after_step(self, position: int, norm: Tensor) -> Sums:
        """At the end of a round take the mean, and count what all have done in it."""
        return self.settle(norm) if position % self._every == 0 else NOTHING

    @torch.no_grad()
    def settle(self, norm: Tensor) -> Sums:
        """End a round, wherever it stands; ``norm`` is averaged too."""
        if self.is_settled:
            self._workers.summed([], [])
            return NOTHING
        own, self._round, self.is_settled = self._round, NOTHING, True
        memory = [value for value in optimizer_tensors(self._optimizer).values() if value.dim()]
        shared = [*self._parameters, *memory, norm]
        weighted = [own.num_items * value for value in shared]
        loss = torch.as_tensor(own.loss, dtype=norm.dtype, device=norm.device)
        (*totals, loss), (num_items,) = self._workers.summed([*weighted, loss], [own.num_items])
        if num_items:
            for value, total in zip(shared, totals, strict=True):
                value.copy_(total / num_items)
        return Sums(loss.double(), num_items)


def _summed(workers: Workers, parameters: Sequence[nn.Parameter], own: Sums) -> Sums:
    gradients = [_gradient(parameter) for parameter in parameters]
    loss = torch.as_tensor(own.loss, dtype=gradients[0].dtype, device=gradients[0].device)
    (*gradients, loss), numbers = workers.summed([*gradients, loss], [own.num_items, own.divisor])
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return Sums(loss.double(), *numbers)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def make_pace(
    workers: Workers, parameters: Sequence[nn.Parameter], optimizer: Optimizer, sync_every: int
) -> InStep | InRounds:
    """As ``training.sync_every`` has it; alone, a worker is always in step."""
    if sync_every > 1 and workers.count > 1:
        return InRounds(workers, parameters, optimizer, sync_every)
    return InStep(workers, parameters)
