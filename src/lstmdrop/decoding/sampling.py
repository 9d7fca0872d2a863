"""Sampling text from next-token distributions, batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

StateT = TypeVar("StateT")
NextLogits = Callable[[Tensor, StateT | None], tuple[Tensor, StateT]]
"""``(tokens of shape (time, batch), state) -> (logits of shape (batch, vocabulary), state)``."""


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How the distribution is changed before a token is drawn from it."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    banned: Sequence[int] = ()


def adjusted_logits(
    logits: Float[Tensor, "batch vocabulary"], options: SamplingOptions
) -> Float[Tensor, "batch vocabulary"]:
    """Logits after the ban, the temperature, the k likeliest and the likeliest of mass p, in this order.

    Raises:
        ValueError: every token is banned.
    """
    if len(set(options.banned)) >= logits.shape[-1]:
        raise ValueError("every token of the vocabulary is banned")
    logits = logits.index_fill(
        -1, torch.tensor(list(options.banned), dtype=torch.long, device=logits.device), -torch.inf
    )
    logits = (logits - logits.amax(-1, keepdim=True)) / options.temperature  # at most 0, so none overflows
    if options.top_k is not None and options.top_k < logits.shape[-1]:
        smallest_kept = logits.topk(options.top_k).values[..., -1:]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if options.top_p is not None and options.top_p < 1:
        logits = _keep_mass(logits, options.top_p)
    return logits


def sample(
    next_logits: NextLogits[StateT],
    prompt: Int[Tensor, "time batch"],
    length: int,
    options: SamplingOptions,
    generator: torch.Generator,
) -> Int[Tensor, "length batch"]:
    """Draw ``length`` tokens after each prompt; the draws follow ``generator`` (a CPU one) alone."""
    tokens, state, drawn = prompt, None, []
    for _ in range(length):
        logits, state = next_logits(tokens, state)
        probabilities = adjusted_logits(logits.float(), options).softmax(-1)
        tokens = torch.multinomial(probabilities.cpu(), 1, generator=generator).T.to(prompt.device)
        drawn.append(tokens)
    return torch.cat(drawn)


def _keep_mass(logits: Tensor, mass: float) -> Tensor:
    """Forbid what lies outside the smallest set of likeliest tokens whose mass reaches ``mass``."""
    ordered, order = logits.softmax(-1).sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= mass
    outside[..., 0] = False  # the likeliest token always stays
    return logits.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), -torch.inf)
