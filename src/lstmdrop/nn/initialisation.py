"""How parameters start."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def draw_uniform(module: nn.Module, bound: float, generator: torch.Generator) -> None:
    """Draw every parameter from U(-bound, bound), biases and embeddings too (Zaremba et al. 2014, section 4.1).

    Drawn on the CPU and then copied, so that every device starts from the same weights.
    """
    for parameter in module.parameters():
        values = torch.empty(parameter.shape, dtype=parameter.dtype)
        parameter.copy_(values.uniform_(-bound, bound, generator=generator))
