"""Optimisers, and the clipping before them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
