"""What a search hands back, and the history of steps that it is read from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

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

    def take(self, sentences: Tensor) -> Ends:
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
