"""Sampling text from next-token distributions, batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

StateT = TypeVar("StateT")
NextLogits = Callable[[Tensor, StateT | None], tuple[Tensor, StateT]]
"""``(tokens of shape (time, batch), state) -> (logits of shape (batch, vocabulary), state)``."""

COLDEST = 1e-30
"""Here the likeliest token alone is left."""


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
    # At most 0, so none overflows; and no colder than what single precision tells from 0.
    logits = (logits - logits.amax(-1, keepdim=True)) / max(options.temperature, COLDEST)
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
    seeds: Sequence[int],
) -> Int[Tensor, "length batch"]:
    """Draw ``length`` tokens after each prompt; what one column draws follows its own seed, whatever is beside it."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    tokens, state, drawn = prompt, None, []
    for _ in range(length):
        logits, state = next_logits(tokens, state)
        tokens = draw(logits, options, generators)[None]
        drawn.append(tokens)
    return torch.cat(drawn)


def draw(
    log_probs: Float[Tensor, "rows vocabulary"], options: SamplingOptions, generators: Sequence[torch.Generator]
) -> Int[Tensor, " rows"]:
    """A token for each row, by the inverse of the distribution function; each row has a CPU generator of its own."""
    masses = adjusted_logits(log_probs.double(), options).softmax(-1).cumsum(-1)
    uniform = torch.cat([torch.rand(1, dtype=torch.float64, generator=generator) for generator in generators])
    heights = uniform.to(masses.device)[:, None] * masses[:, -1:]
    return torch.searchsorted(masses, heights, right=True)[:, 0].clamp(max=masses.shape[1] - 1)


def seed_of(*parts: int) -> int:
    """A seed that belongs to these numbers alone, such as a user's seed and a sample's number."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint32)[0])


def _keep_mass(logits: Tensor, mass: float) -> Tensor:
    """Forbid what lies outside the smallest set of likeliest tokens whose mass reaches ``mass``."""
    ordered, order = logits.softmax(-1).sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= mass
    outside[..., 0] = False  # the likeliest token always stays
    return logits.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), -torch.inf)
