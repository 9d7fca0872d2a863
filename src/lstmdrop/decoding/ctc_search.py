"""Prefix beam search over the outputs of a CTC network, with shallow fusion of a language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log1p
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from lstmdrop.decoding.ctc import NEVER, CTCHypothesis, LogProbs


@dataclass(frozen=True, slots=True)
class CTCBeamSettings:
    """How prefixes are searched."""

    beam_size: int = 8
    """Prefixes kept after each step."""
    num_best: int = 1
    lm_weight: float = 0.0
    """Of the language model's log-probability (shallow fusion)."""
    most_gain: float = 0.0
    """The most that the scorer can give a token: log-probabilities 0, a bonus what it is; else the search prunes it."""
    length_bonus: float = 0.0
    """For every token, against the language model's taste for short outputs."""
    prune: float = math.inf
    """Tokens less probable than the best of their step by more than this, in nats, are not tried."""

    def __post_init__(self) -> None:
        if self.beam_size < 1 or not 1 <= self.num_best <= self.beam_size:
            raise ValueError(f"num_best is {self.num_best}; it lies between 1 and beam_size ({self.beam_size})")
        if self.lm_weight < 0:
            raise ValueError(f"lm_weight is {self.lm_weight:g}; it is 0 or more")


State = Any
"""What a language model remembers of a prefix; the search only hands it back."""


@runtime_checkable
class PrefixScorer(Protocol):
    """What has a say beside a CTC network: a language model's log-probability of each token, or a bonus, in nats."""

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


NOTHING = -1
"""In the place of a token or of a prefix: there is none."""


class Prefixes:
    """Every prefix that a beam has held has one number, whichever way it came: 0 is the empty one.

    So two are compared, and found again, in a time that does not grow with them.
    """

    def __init__(self, num_tokens: int) -> None:
        self._num_tokens = num_tokens
        self._numbers: dict[int, int] = {}
        self._origins = [NOTHING]

    def longer(self, prefix: int, token: int) -> int:
        """The number of a prefix with one token more."""
        origin = prefix * self._num_tokens + token
        number = self._numbers.setdefault(origin, len(self._origins))
        if number == len(self._origins):
            self._origins.append(origin)
        return number

    def tokens(self, prefix: int) -> tuple[int, ...]:
        """What it says."""
        said = []
        while prefix:
            prefix, token = divmod(self._origins[prefix], self._num_tokens)
            said.append(token)
        return tuple(reversed(said))


class _Prefix(NamedTuple):
    """Tokens said so far."""

    rank: float
    number: int
    """`NOTHING` for one that has yet to enter the beam."""
    before: int
    """The number of the one without its last token."""
    last: int
    length: int
    ends_blank: float
    """Log-probability of its paths that end with a blank."""
    ends_token: float
    """Of those that end with its last token."""
    log_prob: float
    """Of both together."""
    lm_score: float
    state: State


class _Step(NamedTuple):
    """What the network says at one step."""

    scores: list[float]
    lowest: float
    tokens: list[int]
    """Those that score ``lowest`` or more, the likeliest first, the blank not among them."""


def prefix_beam_search(
    log_probs: LogProbs,
    blank: int,
    settings: CTCBeamSettings,
    scorer: PrefixScorer | None = None,
    start: State = None,
) -> list[CTCHypothesis]:
    """The best token sequences; see `PrefixBeamSearch`."""
    search = PrefixBeamSearch(blank, settings, scorer, start)
    search.accept(log_probs)
    return search.hypotheses()


class PrefixBeamSearch:
    """Takes the outputs of a sequence piece by piece, and sums each prefix over its paths.

    Graves 2012; Hannun et al. 2014. With a ``scorer`` prefixes are ranked by
    ``log_prob + lm_weight * lm + length_bonus * tokens``, its final score included at the end. With a beam that holds
    every prefix and no pruning, the result is exact. Searches that are given one ``start`` of the scorer share what
    it remembers.
    """

    def __init__(
        self, blank: int, settings: CTCBeamSettings, scorer: PrefixScorer | None = None, start: State = None
    ) -> None:
        self._blank = blank
        self._settings = settings
        self._lm = scorer if scorer is not None and settings.lm_weight else _Silent()
        begin = self._lm.start() if start is None else start
        self._beam = [_Prefix(0.0, 0, NOTHING, NOTHING, 0, 0.0, NEVER, 0.0, 0.0, begin)]
        self._prefixes: Prefixes | None = None

    def accept(self, log_probs: LogProbs) -> None:
        """The next steps."""
        if not len(log_probs):
            return
        if self._prefixes is None:
            self._prefixes = Prefixes(log_probs.shape[1])
        for step in _steps(log_probs, self._blank, self._settings.prune):
            candidates = _candidates(self._beam, step, self._blank, self._settings, self._lm)
            candidates.sort(key=_RANK, reverse=True)
            self._beam = _read(candidates[: self._settings.beam_size], self._prefixes, self._lm)

    def hypotheses(self) -> list[CTCHypothesis]:
        """The best token sequences if the output ended here, best first."""
        said = self._prefixes or Prefixes(0)
        hypotheses = []
        for prefix in self._beam:
            lm_score = prefix.lm_score + self._lm.finish(prefix.state)
            score = _rank(prefix.log_prob, lm_score, prefix.length, self._settings)
            hypotheses.append(CTCHypothesis(said.tokens(prefix.number), prefix.log_prob, score))
        hypotheses.sort(key=lambda hypothesis: (-hypothesis.score, hypothesis.tokens))
        return hypotheses[: self._settings.num_best]


_RANK = itemgetter(0)


def _steps(log_probs: LogProbs, blank: int, prune: float) -> Iterator[_Step]:
    scores = log_probs.astype(np.float64)
    order = np.argsort(-scores, axis=1, kind="stable")
    lowest = scores.max(1) - prune
    counts = (scores >= lowest[:, None]).sum(1)
    for row, low, tokens, count in zip(scores, lowest.tolist(), order, counts.tolist(), strict=True):
        yield _Step(row.tolist(), low, [token for token in tokens[:count].tolist() if token != blank])


def _candidates(
    beam: Sequence[_Prefix], step: _Step, blank: int, settings: CTCBeamSettings, lm: PrefixScorer
) -> list[_Prefix]:
    """What one step makes of every prefix: it stays as it is, or gets one of the step's likelier tokens.

    A longer one is left out if it could not enter the full beam even with the most that the language model can give;
    its state is still that of the prefix before it.
    """
    places = {prefix.number: place for place, prefix in enumerate(beam)}
    present: list[set[int]] = [set() for _ in beam]  # the tokens that lead to another prefix of the beam
    found = []
    for prefix in beam:
        place = places.get(prefix.before)
        if place is not None:
            present[place].add(prefix.last)
        found.append(_stay(prefix, None if place is None else beam[place], step, blank, settings))
    if step.tokens:
        floor = min(prefix.rank for prefix in found) if len(beam) == settings.beam_size else NEVER
        for prefix, tokens in zip(beam, present, strict=True):
            found += _longer(prefix, tokens, floor, step, settings, lm)
    return found


def _stay(prefix: _Prefix, before: _Prefix | None, step: _Step, blank: int, settings: CTCBeamSettings) -> _Prefix:
    """A blank, its last token once more, or that token after the prefix ``before``, which the beam holds too."""
    _, number, origin, last, length, _, ends_token, log_prob, lm_score, state = prefix
    ends_blank = log_prob + step.scores[blank]
    if length:
        score = step.scores[last]
        ends_token += score
        if before is not None and score >= step.lowest:
            ends_token = _log_add(ends_token, _before_new(before, last) + score)
    total = _log_add(ends_blank, ends_token)
    rank = _rank(total, lm_score, length, settings)
    return _Prefix(rank, number, origin, last, length, ends_blank, ends_token, total, lm_score, state)


def _longer(
    prefix: _Prefix, present: set[int], floor: float, step: _Step, settings: CTCBeamSettings, lm: PrefixScorer
) -> Iterator[_Prefix]:
    length = prefix.length + 1
    for token in step.tokens:
        score = step.scores[token]
        if _rank(prefix.log_prob + score, prefix.lm_score + settings.most_gain, length, settings) < floor:
            return  # and so would all less likely ones, whatever the language model says of them
        log_prob = _before_new(prefix, token) + score
        if token not in present and log_prob > NEVER:
            lm_score = prefix.lm_score + lm.score(prefix.state, token)
            rank = _rank(log_prob, lm_score, length, settings)
            own = (rank, NOTHING, prefix.number, token, length, NEVER, log_prob, log_prob, lm_score, prefix.state)
            yield _Prefix(*own)


def _before_new(prefix: _Prefix, token: int) -> float:
    """Log-probability of the paths after which ``token`` is a new one: a repetition is new only after a blank."""
    return prefix.ends_blank if token == prefix.last else prefix.log_prob


def _rank(log_prob: float, lm_score: float, length: int, settings: CTCBeamSettings) -> float:
    return log_prob + settings.lm_weight * lm_score + settings.length_bonus * length


def _read(kept: list[_Prefix], prefixes: Prefixes, lm: PrefixScorer) -> list[_Prefix]:
    """Number those that are new, and let the language model read their last tokens, all together."""
    places = [place for place, prefix in enumerate(kept) if prefix.number == NOTHING]
    if places:
        new = [kept[place] for place in places]
        states = lm.extend([prefix.state for prefix in new], [prefix.last for prefix in new])
        for place, prefix, state in zip(places, new, states, strict=True):
            kept[place] = prefix._replace(number=prefixes.longer(prefix.before, prefix.last), state=state)
    return kept


def _log_add(one: float, other: float) -> float:
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + log1p(exp(other - one))
