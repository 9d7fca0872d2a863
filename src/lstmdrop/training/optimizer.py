"""Optimisers, their schedule, the clipping before them and the averaging after."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from lstmdrop.config import TrainingConfig


def make_optimizer(config: TrainingConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Plain SGD, as in the paper; Adam (Kingma & Ba 2015), ``weight_decay`` added to the gradient; or AdamW."""
    if config.optimizer == "sgd":
        return SGD(parameters, lr=config.rate, weight_decay=config.weight_decay, foreach=True)
    parameters = list(parameters)
    kind = AdamW if config.optimizer == "adamw" else Adam
    is_fused = parameters[0].device.type in ("cpu", "cuda")
    return kind(
        parameters, lr=config.rate, betas=config.betas, eps=config.epsilon, weight_decay=config.weight_decay,
        fused=is_fused, foreach=not is_fused,
    )  # fmt: skip


@torch.no_grad()
def scale_and_clip(gradients: Sequence[Tensor], norms: Sequence[Tensor], divisor: int, largest_norm: float) -> Tensor:
    """Divide summed gradients, of these norms, by ``divisor``, clip their joint norm, both in place and in one pass.

    Returns the norm after the division and before the clip.
    """
    norm: Tensor = torch.linalg.vector_norm(torch.stack(list(norms))) / divisor
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
    """Put back what `optimizer_tensors` gave; of another optimiser's what this one has too."""
    if isinstance(optimizer, SGD):  # it remembers nothing, and would carry Adam's moments along
        return
    state = optimizer.state_dict()
    state["state"] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state["state"].setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(state)


FIRST_OF_A_CYCLE, LAST_OF_A_CYCLE, RISE_OF_A_CYCLE = 1 / 25, 1e-4, 0.3
"""Parts of the highest rate that a cycle begins and ends with, and its share of rising steps if none is given."""


def changes_by_step(config: TrainingConfig) -> bool:
    """Whether the rate is another at each step, not at each epoch."""
    return config.schedule in ("cosine", "one-cycle") or config.warmup > 0


def rate_at(config: TrainingConfig, epoch: int, share: float = 1.0, num_drops: int = 0) -> float:
    """The rate of a step in ``epoch``, counted from 1, when ``share`` of all steps are made.

    ``paper``: full for ``decay_after`` whole epochs, then divided before each (Zaremba et al. 2014, section 4.1; the
    original code decays one epoch later than the paper says, and this is the paper). ``plateau``: multiplied by
    ``plateau_factor`` at each of ``num_drops``. ``cosine``: half a wave down to zero (Loshchilov & Hutter 2017,
    equation 5). ``one-cycle``: half a wave up and half a wave down (Smith & Topin 2019). The others rise linearly
    during ``warmup``.
    """
    if config.schedule == "one-cycle":
        return config.rate * _cycle(share, config.warmup or RISE_OF_A_CYCLE)
    rising = min(1.0, share / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        return config.rate * rising * _wave(1.0, 0.0, (share - config.warmup) / (1 - config.warmup))
    if config.schedule == "plateau":
        return config.rate * rising * config.plateau_factor**num_drops
    return rising * config.rate / _power(config.decay, max(0, epoch - config.decay_after))


def _power(base: float, exponent: int) -> float:
    """Infinite, not an error, where no number is as large: after some thousand epochs the rate is 0."""
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def _cycle(share: float, rise: float) -> float:
    if share < rise:
        return _wave(FIRST_OF_A_CYCLE, 1.0, share / rise)
    return _wave(1.0, LAST_OF_A_CYCLE, (share - rise) / (1 - rise))


def _wave(first: float, last: float, share: float) -> float:
    """Half a cosine wave from ``first`` to ``last``."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


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
