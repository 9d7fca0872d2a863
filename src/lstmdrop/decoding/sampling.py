"""Sampling from next-token distributions, batched: texts without an end, and sequences with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.decoding.forced import Prefixed
from lstmdrop.decoding.hypotheses import CUT, FINISHED, Ends, History, Hypothesis, StateT, StepModel

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
    uniforms = _Uniforms(seeds)
    every = torch.arange(len(seeds))
    tokens, state = prompt, None
    for _ in range(length):
        logits, state = next_logits(tokens, state)
        drawn = draw(logits, options, uniforms.next(every))
        yield drawn
        tokens = drawn[None]


def draw(
    log_probs: Float[Tensor, "rows vocabulary"], options: SamplingOptions, uniform: Float[Tensor, " rows"]
) -> Int[Tensor, " rows"]:
    """A token for each row, by the inverse of the distribution function at a number between 0 and 1."""
    masses = adjusted_logits(log_probs.double(), options).softmax(-1).cumsum(-1)
    heights = uniform.to(masses.device)[:, None] * masses[:, -1:]
    return torch.searchsorted(masses, heights, right=True)[:, 0].clamp(max=masses.shape[1] - 1)


class _Uniforms:
    """Numbers between 0 and 1, for each row from a CPU generator of its own, many at a time: a call is dear."""

    AT_ONCE = 32

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._drawn = torch.empty(len(seeds), self.AT_ONCE, dtype=torch.float64)
        self._step = 0

    def next(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
        """The next one of these rows, which have been among the rows of every call before."""
        place = self._step % self.AT_ONCE
        rows = rows.cpu()
        for row in rows.tolist() if place == 0 else ():
            self._drawn[row].uniform_(generator=self._generators[row])
        self._step += 1
        return self._drawn[rows, place]


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
    uniforms, history = _Uniforms(seeds), History()
    numbers = parents = torch.arange(len(seeds), device=max_lengths.device)
    tokens = torch.full_like(max_lengths, bos)
    sums = torch.zeros(len(seeds), dtype=torch.float64, device=max_lengths.device)
    done: list[tuple[Tensor, Ends]] = []
    while len(numbers):
        log_probs, attention, state = model.step(tokens, state)
        history.append(tokens, parents, attention)
        tokens = draw(log_probs, options, uniforms.next(numbers))
        is_eos = tokens == eos
        is_cut = ~is_eos & (max_lengths[numbers] < len(history))  # there nothing but <eos> is taken
        sums = torch.where(is_cut, sums, sums + log_probs.gather(1, tokens[:, None])[:, 0])
        over, parents = (is_eos | is_cut).nonzero()[:, 0], (~(is_eos | is_cut)).nonzero()[:, 0]
        kind = torch.where(is_eos, FINISHED, CUT)
        ended = Ends(
            kind, sums, sums, torch.full_like(kind, len(history) - 1), torch.arange(len(kind), device=kind.device)
        )
        done.append((numbers[over], Ends(*(part[over, None] for part in ended))))
        numbers, tokens, sums, state = numbers[parents], tokens[parents], sums[parents], model.select(state, parents)
    if not done:
        return []
    rows, ends = zip(*done, strict=True)
    order = torch.cat(rows).argsort()
    found = history.read(Ends(*(torch.cat(part)[order] for part in zip(*ends, strict=True))), source_lengths)
    return [own if own.tokens or own.finished else replace(own, attention=None) for (own,) in found]
