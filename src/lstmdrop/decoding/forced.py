"""Sequences that are given: scored from their first token to their last, or forced to begin a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lstmdrop.decoding.hypotheses import BeamSettings, StateT, StepModel, coverage_penalty, initial_coverage, normalised

FREE = -1
"""In the place of a token: nothing is forced here."""


def columns(sequences: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "time rows"]:
    """Sequences side by side, one a column, `FREE` below their ends."""
    tokens = [torch.tensor(list(own), dtype=torch.long) for own in sequences]
    return pad_sequence(tokens, padding_value=FREE).to(device)


class Beginning(NamedTuple):
    """What an output begins with."""

    text: str = ""
    tokens: Sequence[int] = ()

    def written(self, decode: Callable[[Sequence[int]], str], tokens: Sequence[int]) -> str:
        """The text of ``tokens``, its beginning as it was given: a vocabulary may lack words of it, or their case."""
        text, own = decode(tokens), decode(self.tokens)
        return self.text + text.removeprefix(own) if self.tokens and text.startswith(own) else text


@dataclass(frozen=True, slots=True)
class Begun(Generic[StateT]):
    """What `Prefixed` remembers."""

    state: StateT
    prefixes: Int[Tensor, "rows time"]
    step: int


class Prefixed(Generic[StateT]):
    """A model whose sequences begin with given tokens: as long as these last, no other is possible.

    After them none of the ``banned`` is; among them one may be. The log-probabilities of all others stay the model's.
    """

    def __init__(self, model: StepModel[StateT], banned: Sequence[int] = ()) -> None:
        self.model, self.banned = model, list(banned)

    def start(self, state: StateT, prefixes: Sequence[Sequence[int]], device: torch.device) -> Begun[StateT]:
        """Before the first token; a prefix a row of ``state``, perhaps an empty one."""
        return Begun(state, columns(prefixes, device).T, 0)

    def step(
        self, tokens: Int[Tensor, " rows"], state: Begun[StateT]
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, Begun[StateT]]:
        """Log-probabilities of the next token, -inf where it cannot be; the model's attention."""
        log_probs, attention, after = self.model.step(tokens, state.state)
        possible = torch.ones_like(log_probs, dtype=torch.bool)
        possible[:, self.banned] = False
        if state.step < state.prefixes.shape[1]:
            forced = state.prefixes[:, state.step, None]
            vocabulary = torch.arange(log_probs.shape[1], device=log_probs.device)
            possible = torch.where(forced == FREE, possible, vocabulary == forced)
        return log_probs.masked_fill(~possible, -torch.inf), attention, Begun(after, state.prefixes, state.step + 1)

    def select(self, state: Begun[StateT], rows: Int[Tensor, " chosen"]) -> Begun[StateT]:
        """The state of these rows, in this order."""
        return Begun(self.model.select(state.state, rows), state.prefixes[rows], state.step)


@dataclass(frozen=True, slots=True)
class ScoredSequence:
    """A given sequence and its probability."""

    tokens: tuple[int, ...]
    """With its <eos>."""
    token_log_probs: tuple[float, ...]
    """In nats, one a token."""
    log_prob: float
    """Their sum, made as a search makes it."""
    score: float
    """By which a search would rank it: see `BeamSettings`."""


@torch.inference_mode()
def score_sequences(
    model: StepModel[StateT],
    state: StateT,
    sequences: Sequence[Sequence[int]],
    *,
    bos: int,
    device: torch.device,
    settings: BeamSettings,
    source_lengths: Int[Tensor, " rows"] | None = None,
) -> list[ScoredSequence]:
    """The probability of each sequence, whose last token is <eos>, given the row of ``state`` that it belongs to.

    Of an ensemble it is the mean of its members' at each token, as in a search; of a sequence that a search has found,
    log-probability and score are those that it found.

    Raises:
        ValueError: a coverage penalty without attention.
    """
    if not sequences:
        return []
    targets = columns(sequences, device)
    lengths = torch.tensor([len(own) for own in sequences], device=device)
    tokens, taken, coverage = torch.full_like(targets[0], bos), [], None
    for target in targets:
        log_probs, attention, state = model.step(tokens, state)
        is_given, tokens = target != FREE, target.clamp(min=0)
        given = log_probs.gather(1, tokens[:, None])[:, 0].masked_fill(~is_given, 0.0)
        taken.append(given.to(torch.promote_types(given.dtype, torch.float32)))
        if settings.coverage_penalty:
            if attention is None:
                raise ValueError("a coverage penalty needs a model that gives its attention")
            coverage = initial_coverage(attention, source_lengths) if coverage is None else coverage
            coverage = coverage + attention.nan_to_num(0).masked_fill(~is_given[:, None], 0.0)
    totals = torch.stack(taken).cumsum(0)[-1]
    scores = normalised(totals[:, None], lengths[:, None], settings)[:, 0]
    if coverage is not None:
        scores = scores + coverage_penalty(coverage, settings)
    return [
        ScoredSequence(tuple(own), tuple(values[: len(own)]), total, score)
        for own, values, total, score in zip(
            sequences, torch.stack(taken, 1).tolist(), totals.tolist(), scores.tolist(), strict=True
        )
    ]


def scored_json(scored: ScoredSequence, vocabulary: Sequence[str], unk: int) -> dict[str, Any]:
    """As ``predict --score`` gives it: the sum, then each token with its own; ``<eos>`` is one of them.

    ``vocabulary`` are the tokens by their numbers.
    """
    tokens = [vocabulary[token] for token in scored.tokens]
    values = [f"{token} {value:.4f}" for token, value in zip(tokens, scored.token_log_probs, strict=True)]
    numbers: Mapping[str, Any] = {
        "log_prob": scored.log_prob,
        "mean": scored.log_prob / max(1, len(tokens)),
        "score": scored.score,
        "num_tokens": len(tokens),
        "num_unknown": scored.tokens.count(unk),
    }
    text = "\t".join([f"{scored.log_prob:.4f}", *values])
    return {"text": text, **numbers, "tokens": tokens, "token_log_probs": list(scored.token_log_probs)}
