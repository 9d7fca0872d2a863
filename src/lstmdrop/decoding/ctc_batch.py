"""Prefix beam search over many outputs of a CTC network at once: a step is one of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lstmdrop.decoding.ctc import NEVER, CTCHypothesis
from lstmdrop.decoding.ctc_search import NOTHING, CTCBeamSettings, Prefixes

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def prefix_beam_searches(
    log_probs: npt.NDArray[np.floating], lengths: Sequence[int], blank: int, settings: CTCBeamSettings
) -> list[list[CTCHypothesis]]:
    """What `PrefixBeamSearch` finds in each of some sequences, without a language model.

    ``log_probs`` has the shape ``(time, sequences, tokens)``, in nats; what follows the ``lengths`` means nothing.
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    ends = np.asarray(lengths, np.int64)[order]
    prefixes = Prefixes(log_probs.shape[2])
    beams = _Beams.start(len(order), settings.beam_size)
    found: list[list[CTCHypothesis]] = [[] for _ in order]
    for step in range(int(ends.max(initial=0)) + 1):
        going = int((ends > step).sum())
        for row in range(going, len(beams.node)):
            found[order[row]] = _finished(beams, row, prefixes, settings)
        if going:
            beams = beams.take(slice(going))
            scores = log_probs[step, order[:going]].astype(np.float64)
            beams = _advance(beams, _Step.of(scores, blank, settings.prune), prefixes, settings)
    return found


@dataclass(frozen=True, slots=True)
class _Beams:
    """The prefixes of each sequence, best first; every field has the shape (sequences, beam)."""

    node: Numbers
    """Which prefix it is; `NOTHING` where a beam is not full."""
    parent: Numbers
    """The one before its last token; `NOTHING` has none, and so has the empty one."""
    last: Numbers
    """Its last token."""
    length: Numbers
    ends_blank: Floats
    """Log-probability of its paths that end with a blank."""
    ends_token: Floats
    """Of those that end with its last token."""
    log_prob: Floats
    """Of both together."""

    @classmethod
    def start(cls, num_sequences: int, beam_size: int) -> _Beams:
        """The empty prefix alone."""
        none = np.full((num_sequences, beam_size), NOTHING, np.int64)
        never = np.full(none.shape, NEVER)
        node, certain = none.copy(), never.copy()
        node[:, 0], certain[:, 0] = 0, 0.0
        return cls(node, none, none, np.zeros_like(none), certain, never, certain)

    def take(self, rows: slice) -> _Beams:
        """Those of some of the sequences."""
        return _Beams(*(getattr(self, field.name)[rows] for field in fields(self)))

    def ranks(self, settings: CTCBeamSettings) -> Floats:
        """By which they compete; not a number where there is none."""
        ranks = self.log_prob + settings.length_bonus * self.length
        ranks[self.node == NOTHING] = np.nan
        return ranks


@dataclass(frozen=True, slots=True)
class _Step:
    """What the network says of each sequence at one step."""

    scores: Floats
    """``(sequences, tokens)``."""
    lowest: Floats
    """``(sequences, 1)``: tokens that score less are not tried."""
    blank: Floats
    """``(sequences, 1)``."""
    tokens: Numbers
    """``(sequences, most)``: those that are tried, the likeliest first, then `NOTHING`; the blank is none of them."""
    token_scores: Floats

    @classmethod
    def of(cls, scores: Floats, blank: int, prune: float) -> _Step:
        """Of some sequences."""
        lowest = scores.max(1, keepdims=True) - prune
        is_tried = scores >= lowest
        is_tried[:, blank] = False
        rows, tried = np.nonzero(is_tried)
        counts = is_tried.sum(1)
        own = scores[rows, tried]
        order = np.lexsort((-own, rows))  # stable, so that the lower token comes first among equals
        places = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
        tokens = np.full((len(scores), int(counts.max())), NOTHING, np.int64)
        tokens[rows, places] = tried[order]
        token_scores = np.full(tokens.shape, NEVER)
        token_scores[rows, places] = own[order]
        return cls(scores, lowest, scores[:, blank, None], tokens, token_scores)


def _advance(beams: _Beams, step: _Step, prefixes: Prefixes, settings: CTCBeamSettings) -> _Beams:
    """What one step makes of every prefix: it stays as it is, or gets one of the step's likelier tokens."""
    num_rows, size = beams.node.shape
    rows = np.arange(num_rows)[:, None]
    is_before = (beams.parent[:, :, None] == beams.node[:, None]) & (beams.parent[:, :, None] != NOTHING)
    has_before, before = is_before.any(2), is_before.argmax(2)
    stay = _stay(beams, step, rows, has_before, before)
    ranks = stay.ranks(settings)
    longer = _longer(beams, step, rows, has_before, before)
    gained = longer + settings.length_bonus * (beams.length[:, :, None] + 1)
    ranks = np.concatenate([ranks, gained.reshape(num_rows, -1)], 1)
    order = np.argsort(-ranks, axis=1, kind="stable")[:, :size]  # what is not a number comes last
    is_new, is_none = order >= size, np.isnan(ranks[rows, order])
    num_tried = max(1, step.tokens.shape[1])
    old = np.where(is_new, (order - size) // num_tried, order)
    node, parent, last, length, ends_blank, ends_token, log_prob = (
        getattr(stay, field.name)[rows, old] for field in fields(stay)
    )
    new_rows, new_places = np.nonzero(is_new & ~is_none)
    if len(new_rows):
        chosen = order[new_rows, new_places] - size
        parent[is_new] = node[is_new]
        tokens = step.tokens[new_rows, chosen % num_tried]
        last[new_rows, new_places] = tokens
        length[new_rows, new_places] += 1
        origins = zip(parent[new_rows, new_places].tolist(), tokens.tolist(), strict=True)
        node[new_rows, new_places] = [prefixes.longer(*origin) for origin in origins]
        ends_blank[new_rows, new_places] = NEVER
        gain = longer.reshape(num_rows, -1)[new_rows, chosen]
        ends_token[new_rows, new_places] = log_prob[new_rows, new_places] = gain
    node[is_none] = parent[is_none] = NOTHING
    ends_blank[is_none] = ends_token[is_none] = log_prob[is_none] = NEVER
    return _Beams(node, parent, last, length, ends_blank, ends_token, log_prob)


def _stay(beams: _Beams, step: _Step, rows: Numbers, has_before: npt.NDArray[np.bool_], before: Numbers) -> _Beams:
    """A blank, the last token once more, or that token after the prefix ``before``, which the beam holds too."""
    score = step.scores[rows, beams.last]
    new = np.where(beams.last == beams.last[rows, before], beams.ends_blank[rows, before], beams.log_prob[rows, before])
    new = np.where(has_before & (score >= step.lowest), new + score, NEVER)
    ends_blank = beams.log_prob + step.blank
    ends_token = np.logaddexp(beams.ends_token + score, new)
    log_prob = np.logaddexp(ends_blank, ends_token)
    return _Beams(beams.node, beams.parent, beams.last, beams.length, ends_blank, ends_token, log_prob)


def _longer(
    beams: _Beams, step: _Step, rows: Numbers, has_before: npt.NDArray[np.bool_], before: Numbers
) -> npt.NDArray[np.float64]:
    """Log-probability of each prefix with each of the tokens; not a number where it cannot be, or is in the beam.

    The shape is ``(sequences, beam, most)``.
    """
    is_last = beams.last[:, :, None] == step.tokens[:, None]
    log_prob = np.where(is_last, beams.ends_blank[:, :, None], beams.log_prob[:, :, None]) + step.token_scores[:, None]
    log_prob[log_prob == NEVER] = np.nan
    of, child, place = np.nonzero(is_last & has_before[:, :, None])
    log_prob[of, before[of, child], place] = np.nan
    return log_prob


def _finished(beams: _Beams, row: int, prefixes: Prefixes, settings: CTCBeamSettings) -> list[CTCHypothesis]:
    """The best token sequences if the output ended here, best first."""
    scores = beams.ranks(settings)[row]
    said = zip(beams.node[row].tolist(), beams.log_prob[row].tolist(), scores.tolist(), strict=True)
    hypotheses = [CTCHypothesis(prefixes.tokens(node), *own) for node, *own in said if node != NOTHING]
    hypotheses.sort(key=lambda hypothesis: (-hypothesis.score, hypothesis.tokens))
    return hypotheses[: settings.num_best]
