"""How parameters start."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


@torch.no_grad()
def draw_uniform(module: nn.Module, bound: float, generator: torch.Generator) -> None:
    """Draw every parameter from U(-bound, bound), biases and embeddings too (Zaremba et al. 2014, section 4.1).

    Drawn on the CPU and then copied, so that every device starts from the same weights.
    """
    for parameter in module.parameters():
        _draw(parameter, bound, generator)


@torch.no_grad()
def draw_by_width(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every matrix with variance 1 / inputs, so that signals keep their size; biases are zero.

    An embedding has one input, the word, unless it is a softmax's matrix too. Source: LeCun, Bottou, Orr & Müller
    1998, equation 16. Attention needs it: with small weights all places look alike, and hundreds of steps pass before
    it looks anywhere.
    """
    embeddings, factors = (
        {id(part.weight) for part in module.modules() if isinstance(part, kind)} for kind in (nn.Embedding, nn.Linear)
    )
    for parameter in module.parameters():
        if parameter.dim() < 2:
            parameter.zero_()
        else:
            num_inputs = 1 if id(parameter) in embeddings - factors else parameter.shape[1]
            _draw(parameter, math.sqrt(3 / num_inputs), generator)


def _draw(parameter: Tensor, bound: float, generator: torch.Generator) -> None:
    values = torch.empty(parameter.shape, dtype=parameter.dtype)
    parameter.copy_(values.uniform_(-bound, bound, generator=generator))
