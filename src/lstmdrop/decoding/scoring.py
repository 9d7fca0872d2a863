"""By what hypotheses are ranked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
