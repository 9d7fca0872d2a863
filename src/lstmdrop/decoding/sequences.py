"""Sampling whole sequences from a model that a search could decode, batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from lstmdrop.decoding.hypotheses import Hypothesis
from lstmdrop.decoding.sampling import SamplingOptions, draw
from lstmdrop.decoding.step_model import StateT, StepModel


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
) -> list[Hypothesis]:
    """One sequence for each row of ``state``, drawn token by token until <eos> or the row's longest length.

    Row n draws from a generator of its own, seeded with ``seeds[n]``, so that what it gets depends on no other row.
    ``log_prob`` is the model's, before ``options`` change the distribution.
    """
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
