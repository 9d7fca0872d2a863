"""Optimisers, their schedule, the clipping before them and the averaging after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from lstmdrop.config import TrainingConfig


def make_optimizer(config: TrainingConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Plain SGD, as in the paper, or AdamW."""
    if config.optimizer == "adamw":
        parameters = list(parameters)
        is_fused = parameters[0].device.type in ("cpu", "cuda")
        return AdamW(parameters, lr=config.rate, weight_decay=config.weight_decay, fused=is_fused, foreach=not is_fused)
    return SGD(parameters, lr=config.rate, weight_decay=config.weight_decay, foreach=True)


@torch.no_grad()
def scale_and_clip(gradients: Sequence[Tensor], divisor: int, largest_norm: float) -> Tensor:
    """Divide summed gradients by ``divisor``, clip their joint norm, both in place and in one pass.

    Returns the norm after the division and before the clip.
    """
    norm = torch.nn.utils.get_total_norm(gradients) / divisor
    factor = (largest_norm / (norm + 1e-6)).clamp(max=1.0) / divisor
    torch._foreach_mul_(list(gradients), factor)
    return norm


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory as named tensors: ``parameter number.quantity``."""
    return {
        f"{number}.{name}": value
        for number, memory in optimizer.state_dict()["state"].items()
        for name, value in memory.items()
        if isinstance(value, Tensor)
    }


def load_optimizer_tensors(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    state = optimizer.state_dict()
    state["state"] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state["state"].setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(state)


def rate_at(config: TrainingConfig, epoch: int) -> float:
    """The rate of ``epoch``, counted from 1: full for ``decay_after`` whole epochs, then divided before each.

    Source: Zaremba et al. 2014, section 4.1. The original code decays one epoch later than the paper says;
    this is the paper.
    """
    return config.rate / config.decay ** max(0, epoch - config.decay_after)


class WeightAverage:
    """A running mean, scored and kept in place of the weights, while training goes on from the weights.

    Source: checkpoint averaging as in Vaswani et al. 2017, section 6.1; Ruppert's and Polyak's before that.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.means: list[Tensor] = []
        self.count = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take the weights as they are now into the mean."""
        self.count += 1
        if not self.means:
            self.means = [parameter.clone() for parameter in self.parameters]
        else:
            torch._foreach_lerp_(self.means, list(self.parameters), 1 / self.count)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the mean for its weights, if there is one yet."""
        weights = [parameter.data for parameter in self.parameters]
        try:
            for parameter, mean in zip(self.parameters, self.means or weights, strict=True):
                parameter.data = mean
            yield
        finally:
            for parameter, weight in zip(self.parameters, weights, strict=True):
                parameter.data = weight

    def state_dict(self) -> dict[str, Tensor]:
        """What the next mean depends on."""
        return {"count": torch.tensor(self.count), **{str(number): mean for number, mean in enumerate(self.means)}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        self.count = int(state["count"])
        self.means = [state[str(number)].to(self.parameters[number].device) for number in range(len(state) - 1)]
