"""What every search is made of: a model that goes step by step, scores, and hypotheses with their history."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

StateT = TypeVar("StateT")


@runtime_checkable
class StepModel(Protocol[StateT]):
    """What a search needs to know of a model."""

    def step(
        self, tokens: Int[Tensor, " rows"], state: StateT
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, StateT]:
        """Log-probabilities of the next token, attention over source positions (or None), state after ``tokens``.

        The log-probabilities are normalised; the number of positions is the same at every step.
        """
        ...

    def select(self, state: StateT, rows: Int[Tensor, " chosen"]) -> StateT:
        """The state of these rows, in this order; a row may repeat or vanish."""
        ...


class Ensemble(Generic[StateT]):
    """Several models as one: the mean of their probabilities, and of their attention where they give it.

    Its state is the tuple of theirs. They share one vocabulary. Those that look at different numbers of positions, as
    at maps of one image from different encoders, have no attention in common, and the ensemble gives none.

    Raises:
        ValueError: no models.
    """

    def __init__(self, models: Sequence[StepModel[StateT]]) -> None:
        if not models:
            raise ValueError("an ensemble needs at least one model")
        self.models = tuple(models)

    def step(
        self, tokens: Int[Tensor, " rows"], state: tuple[StateT, ...]
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, tuple[StateT, ...]]:
        """The logarithm of the mean probability of each token, the mean attention, the states after ``tokens``."""
        steps = [model.step(tokens, own) for model, own in zip(self.models, state, strict=True)]
        if len(steps) == 1:
            log_probs, attention, after = steps[0]
            return log_probs, attention, (after,)
        log_probs = torch.stack([given for given, _, _ in steps]).logsumexp(0) - math.log(len(steps))
        looks = [look for _, look, _ in steps if look is not None]
        mean = torch.stack(looks).mean(0) if len({look.shape for look in looks}) == 1 else None
        return log_probs, mean, tuple(after for *_, after in steps)

    def select(self, state: tuple[StateT, ...], rows: Int[Tensor, " chosen"]) -> tuple[StateT, ...]:
        """The states of these rows."""
        return tuple(model.select(own, rows) for model, own in zip(self.models, state, strict=True))


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """How wide the search is and by what its hypotheses are ranked.

    The score is ``log_prob / length**length_penalty + coverage_penalty * sum_j log(min(sum_t a_tj, 1))``: the length
    counts <eos>, ``a_tj`` is the attention of output token t (<eos> too) to source position j (Wu et al. 2016,
    arXiv:1609.08144, eq. 14; its length penalty is ``((5 + length) / 6)**alpha``, ours the plain power). Live
    hypotheses compete by log-probability alone.

    Raises:
        ValueError: a size below 1, more results than the beam holds, or a negative or infinite penalty.
    """

    beam_size: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    num_best: int = 1

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise ValueError(f"beam_size must be at least 1, not {self.beam_size}")
        if not 1 <= self.num_best <= self.beam_size:
            raise ValueError(f"num_best must lie between 1 and beam_size ({self.beam_size}), not {self.num_best}")
        for name in ("length_penalty", "coverage_penalty"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and not negative, not {getattr(self, name)}")


def normalised(
    log_probs: Float[Tensor, "sentences beams"], lengths: Int[Tensor, "#sentences 1"], settings: BeamSettings
) -> Float[Tensor, "sentences beams"]:
    """Log-probabilities over the penalised length; an empty hypothesis without <eos> counts as one token long."""
    return log_probs / lengths.clamp(min=1).to(log_probs.dtype) ** settings.length_penalty


def coverage_penalty(coverage: Float[Tensor, "rows positions"], settings: BeamSettings) -> Float[Tensor, " rows"]:
    """What is added for the source positions that got less attention than 1; finite for those that got none."""
    return settings.coverage_penalty * coverage.clamp(torch.finfo(torch.float32).tiny, 1).log().sum(1)


def initial_coverage(
    attention: Float[Tensor, "rows positions"], source_lengths: Int[Tensor, " rows"] | None
) -> Float[Tensor, "rows positions"]:
    """0, but 1 at the positions that are padding: they count as covered."""
    coverage = torch.zeros_like(attention, dtype=torch.promote_types(attention.dtype, torch.float32))
    if source_lengths is None:
        return coverage
    positions = torch.arange(attention.shape[1], device=attention.device)
    return coverage.masked_fill(positions >= source_lengths.unsqueeze(1), 1)


EMPTY, CUT, FINISHED = 0, 1, 2
"""What an end is, worst first: none yet, cut at the longest length, ended by <eos>."""

MOST_CUT = 0.01
"""The share of a text's hypotheses that may be cut without a word."""

log = logging.getLogger("lstmdrop.decoding")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One decoded sequence."""

    tokens: tuple[int, ...]
    """Without <bos> and <eos>."""
    log_prob: float
    """The sum of the tokens' log-probabilities, of <eos> too when finished."""
    score: float
    """``log_prob`` after length normalisation, plus the coverage penalty."""
    finished: bool
    """Whether it ended with <eos>; if not, it was cut at the longest length, or no token could follow."""
    attention: Float[Tensor, "steps positions"] | None = field(compare=False, repr=False)
    """One row a token, <eos> too when finished; the real positions alone if the search knew how many."""


def warn_of_cut(num_cut: int, num_all: int, what: str, setting: str) -> None:
    """Say so where more than `MOST_CUT` of the best hypotheses were cut; ``setting`` is what cut them: ``a=2``."""
    if num_cut > MOST_CUT * num_all:
        log.warning(
            "%d of %d %s were cut at the longest length (%s): raise it, unless the model has yet to learn to stop",
            num_cut, num_all, what, setting,
        )  # fmt: skip


class Ends(NamedTuple):
    """Where hypotheses end in a history, best first; every field has the shape (sentences, hypotheses)."""

    kind: Tensor
    score: Tensor
    log_prob: Tensor
    step: Tensor
    row: Tensor

    @classmethod
    def none(cls, num_sentences: int, num_best: int, device: torch.device) -> Ends:
        """Room for ``num_best`` a sentence."""
        empty = torch.full((num_sentences, num_best), EMPTY, device=device)
        return cls(empty, empty.float(), empty.float(), empty, empty)

    def take(self, sentences: Tensor | slice) -> Ends:
        """The ends of these sentences, in this order."""
        return Ends(*(part[sentences] for part in self))

    def merge(self, others: Ends) -> Ends:
        """The best of both, as many as here: finished before cut, then by score, then these before the others."""
        both = Ends(*(torch.cat(parts, 1) for parts in zip(self, others, strict=True)))
        order = both.score.argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, both.kind.gather(1, order).argsort(dim=1, descending=True, stable=True))
        return Ends(*(part.gather(1, order[:, : self.kind.shape[1]]) for part in both))


class History:
    """The tokens given to each step, where their rows came from, and the attention that the step answered.

    A step's tokens, parents and attention are kept as they were; paths are followed back once, at the end.
    """

    def __init__(self) -> None:
        self._tokens: list[Tensor] = []
        self._parents: list[Tensor] = []
        self._attention: list[Tensor] = []

    def __len__(self) -> int:
        """The number of steps."""
        return len(self._tokens)

    def append(self, tokens: Tensor, parents: Tensor, attention: Tensor | None) -> None:
        """One step: each row's token, the row that it continues in the step before, its attention."""
        self._tokens.append(tokens)
        self._parents.append(parents)
        if attention is not None:
            self._attention.append(attention)

    def read(self, ends: Ends, source_lengths: Tensor | None) -> list[list[Hypothesis]]:
        """The hypotheses that end there, a list a sentence."""
        paths = self._paths(ends.step.flatten(), ends.row.flatten())
        tokens = _along(paths, self._tokens).tolist()
        attention = _along(paths, self._attention) if self._attention else None
        num_sentences, num_best = ends.kind.shape
        lengths = [None] * num_sentences if source_lengths is None else source_lengths.tolist()
        found: list[list[Hypothesis]] = [[] for _ in range(num_sentences)]
        ended = zip(*(part.flatten().tolist() for part in ends[:4]), strict=True)
        for path, (kind, score, log_prob, step) in enumerate(ended):
            if kind != EMPTY:
                sentence, finished = path // num_best, kind == FINISHED
                weights = None
                if attention is not None:  # cloned, so that one hypothesis does not keep all the others in memory
                    weights = attention[path, : step + finished, : lengths[sentence]].clone()
                kept = tuple(tokens[path][1 : step + 1])
                found[sentence].append(Hypothesis(kept, log_prob, score, finished, weights))
        return found

    def _paths(self, steps: Tensor, rows: Tensor) -> list[Tensor]:
        """The rows, step by step, of each path that ends at ``steps`` in ``rows``; row 0 after its end."""
        paths = []
        for step in reversed(range(len(self))):
            reached = steps >= step
            paths.append(rows.where(reached, 0))
            rows = self._parents[step][paths[-1]].where(reached, rows)
        return paths[::-1]


def _along(paths: list[Tensor], steps: list[Tensor]) -> Tensor:
    """What the steps hold for the paths: ``(paths, steps, ...)``."""
    return torch.stack([held[rows] for rows, held in zip(paths, steps, strict=True)], 1)
