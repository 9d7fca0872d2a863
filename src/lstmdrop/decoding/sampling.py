"""Sampling from next-token distributions, batched: texts without an end, and sequences with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.decoding.forced import Prefixed
from lstmdrop.decoding.hypotheses import Hypothesis, StateT, StepModel

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
    return torch.stack(list(draws(next_logits, prompt, length, options, seeds)))


def draws(
    next_logits: NextLogits[StateT],
    prompt: Int[Tensor, "time batch"],
    length: int,
    options: SamplingOptions,
    seeds: Sequence[int],
) -> Iterator[Int[Tensor, " batch"]]:
    """The tokens of `sample`, step by step."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    tokens, state = prompt, None
    for _ in range(length):
        logits, state = next_logits(tokens, state)
        drawn = draw(logits, options, generators)
        yield drawn
        tokens = drawn[None]


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


@torch.inference_mode()
def sample_sequences(
    model: StepModel[StateT],
    state: StateT,
    *,
    bos: int,
    eos: int,
    max_lengths: Int[Tensor, " rows"],
    options: SamplingOptions,
    seeds: Sequence[int],
    source_lengths: Int[Tensor, " rows"] | None = None,
    prefixes: Sequence[Sequence[int]] = (),
) -> list[Hypothesis]:
    """One sequence for each row of ``state``, drawn token by token until <eos> or the row's longest length.

    Row n draws from a generator of its own, seeded with ``seeds[n]``, so that what it gets depends on no other row.
    ``log_prob`` is the model's, before ``options`` change the distribution. ``prefixes`` are what the rows begin with.
    """
    if any(prefixes):
        longest = max_lengths.max(torch.tensor([len(own) for own in prefixes], device=max_lengths.device))
        begun: Any = Prefixed(model, options.banned)
        return sample_sequences(
            begun, begun.start(state, prefixes, max_lengths.device), bos=bos, eos=eos, max_lengths=longest,
            options=replace(options, banned=()), seeds=seeds, source_lengths=source_lengths,
        )  # fmt: skip
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows = [_Row(*given) for given in zip(generators, max_lengths.tolist(), strict=True)]
    live = list(rows)
    tokens = torch.full_like(max_lengths, bos)
    while live:
        log_probs, attention, state = model.step(tokens, state)
        tokens = draw(log_probs, options, [row.generator for row in live])
        taken = log_probs.gather(1, tokens[:, None])[:, 0].tolist()
        for number, (row, token) in enumerate(zip(live, tokens.tolist(), strict=True)):
            row.take(token, taken[number], None if attention is None else attention[number], eos)
        going = [number for number, row in enumerate(live) if not row.is_over]
        live = [live[number] for number in going]
        kept = torch.tensor(going, dtype=torch.long, device=tokens.device)
        tokens, state = tokens[kept], model.select(state, kept)
    lengths = [None] * len(rows) if source_lengths is None else source_lengths.tolist()
    return [row.hypothesis(length) for row, length in zip(rows, lengths, strict=True)]


@dataclass(slots=True)
class _Row:
    """A sequence in the making."""

    generator: torch.Generator
    longest: int
    tokens: list[int] = field(default_factory=list)
    log_prob: float = 0.0
    finished: bool = False
    is_over: bool = False
    attention: list[Tensor] = field(default_factory=list)

    def take(self, token: int, log_prob: float, attention: Tensor | None, eos: int) -> None:
        """One more token; at the longest length nothing but <eos> is taken."""
        self.finished = token == eos
        is_cut = not self.finished and len(self.tokens) == self.longest
        self.is_over = self.finished or is_cut
        if is_cut:
            return
        self.log_prob += log_prob
        if not self.finished:
            self.tokens.append(token)
        if attention is not None:
            self.attention.append(attention)

    def hypothesis(self, source_length: int | None) -> Hypothesis:
        attention = torch.stack(self.attention)[:, :source_length] if self.attention else None
        return Hypothesis(tuple(self.tokens), self.log_prob, self.log_prob, self.finished, attention)
