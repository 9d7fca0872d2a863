"""Prefix beam search over the outputs of a CTC network, with shallow fusion of a language model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from lstmdrop.decoding.ctc import NEVER, CTCHypothesis, LogProbs


@dataclass(frozen=True, slots=True)
class CTCBeamSettings:
    """How prefixes are searched."""

    beam_size: int = 8
    """Prefixes kept after each step."""
    num_best: int = 1
    lm_weight: float = 0.0
    """Of the language model's log-probability (shallow fusion)."""
    length_bonus: float = 0.0
    """For every token, against the language model's taste for short outputs."""
    prune: float = math.inf
    """Tokens less probable than the best of their step by more than this, in nats, are not tried."""

    def __post_init__(self) -> None:
        if self.beam_size < 1 or not 1 <= self.num_best <= self.beam_size:
            raise ValueError(f"num_best is {self.num_best}; it lies between 1 and beam_size ({self.beam_size})")


State = Any
"""What a language model remembers of a prefix; the search only hands it back."""


@runtime_checkable
class PrefixScorer(Protocol):
    """A language model over the tokens of a CTC network; its scores are log-probabilities in nats."""

    def start(self) -> State:
        """The empty prefix."""
        ...

    def extend(self, states: Sequence[State], tokens: Sequence[int]) -> Sequence[State]:
        """Each prefix with one token more."""
        ...

    def score(self, state: State, token: int) -> float:
        """What ``token`` adds if it comes next."""
        ...

    def finish(self, state: State) -> float:
        """What is added if the output ends here."""
        ...


class _Mass(NamedTuple):
    """Log-probability of a prefix's paths that end with a blank, and of those that end with its last token."""

    blank: float
    token: float

    @property
    def total(self) -> float:
        return _log_add(self.blank, self.token)


class _Prefix(NamedTuple):
    mass: _Mass
    lm_score: float
    state: State


Prefix = tuple[int, ...]
Beam = dict[Prefix, _Prefix]


class _Silent:
    """No language model."""

    def start(self) -> State:
        return None

    def extend(self, states: Sequence[State], tokens: Sequence[int]) -> Sequence[State]:
        return states

    def score(self, state: State, token: int) -> float:
        return 0.0

    def finish(self, state: State) -> float:
        return 0.0


def prefix_beam_search(
    log_probs: LogProbs, blank: int, settings: CTCBeamSettings, scorer: PrefixScorer | None = None
) -> list[CTCHypothesis]:
    """The best token sequences, each summed over its paths, best first (Graves 2012; Hannun et al. 2014).

    With a ``scorer`` prefixes are ranked by ``log_prob + lm_weight * lm + length_bonus * tokens``, its final score
    included at the end. With a beam that holds every prefix and no pruning, the result is exact.
    """
    lm = scorer or _Silent()
    beam: Beam = {(): _Prefix(_Mass(0.0, NEVER), 0.0, lm.start())}
    for step in log_probs.astype(np.float64):
        masses = _spread(beam, step, blank, settings.prune)
        lm_scores = {prefix: _lm_score(prefix, beam, lm) for prefix in masses}
        kept = _best(masses, lm_scores, settings)
        beam = _next_beam(kept, masses, lm_scores, beam, lm)
    return _finished(beam, settings, lm)


def _spread(beam: Beam, step: npt.NDArray[np.float64], blank: int, prune: float) -> dict[Prefix, tuple[float, float]]:
    """What one step makes of every prefix: it stays as it is, or gets one of the step's likelier tokens."""
    masses: dict[Prefix, tuple[float, float]] = defaultdict(lambda: (NEVER, NEVER))
    scores = step.tolist()
    lowest = max(scores) - prune
    tokens = [token for token, score in enumerate(scores) if token != blank and score >= lowest]
    for prefix, (mass, _, _) in beam.items():
        total = mass.total
        last = prefix[-1] if prefix else -1
        stay_blank, stay_token = masses[prefix]
        repeated = mass.token + scores[last] if prefix else NEVER
        masses[prefix] = (_log_add(stay_blank, total + scores[blank]), _log_add(stay_token, repeated))
        for token in tokens:
            # a repetition is a new token only after a blank
            added = (mass.blank if token == last else total) + scores[token]
            if added > NEVER:
                longer = (*prefix, token)
                with_blank, with_token = masses[longer]
                masses[longer] = (with_blank, _log_add(with_token, added))
    return masses


def _lm_score(prefix: Prefix, beam: Beam, lm: PrefixScorer) -> float:
    if prefix in beam:
        return beam[prefix].lm_score
    before = beam[prefix[:-1]]
    return before.lm_score + lm.score(before.state, prefix[-1])


def _best(
    masses: Mapping[Prefix, tuple[float, float]], lm_scores: Mapping[Prefix, float], settings: CTCBeamSettings
) -> list[Prefix]:
    def rank(prefix: Prefix) -> float:
        return _total(_log_add(*masses[prefix]), lm_scores[prefix], len(prefix), settings)

    return sorted(masses, key=rank, reverse=True)[: settings.beam_size]


def _total(log_prob: float, lm_score: float, length: int, settings: CTCBeamSettings) -> float:
    fused = settings.lm_weight * lm_score if settings.lm_weight else 0.0
    return log_prob + fused + settings.length_bonus * length


def _next_beam(
    kept: Sequence[Prefix],
    masses: Mapping[Prefix, tuple[float, float]],
    lm_scores: Mapping[Prefix, float],
    beam: Beam,
    lm: PrefixScorer,
) -> Beam:
    new = [prefix for prefix in kept if prefix not in beam]
    extended = lm.extend([beam[prefix[:-1]].state for prefix in new], [prefix[-1] for prefix in new]) if new else []
    states = dict(zip(new, extended, strict=True))
    return {
        prefix: _Prefix(
            _Mass(*masses[prefix]),
            lm_scores[prefix],
            beam[prefix].state if prefix in beam else states[prefix],
        )
        for prefix in kept
    }


def _finished(beam: Beam, settings: CTCBeamSettings, lm: PrefixScorer) -> list[CTCHypothesis]:
    hypotheses = [
        CTCHypothesis(tokens, mass.total, _total(mass.total, lm_score + lm.finish(state), len(tokens), settings))
        for tokens, (mass, lm_score, state) in beam.items()
    ]
    hypotheses.sort(key=lambda hypothesis: (-hypothesis.score, hypothesis.tokens))
    return hypotheses[: settings.num_best]


def _log_add(one: float, other: float) -> float:
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))
