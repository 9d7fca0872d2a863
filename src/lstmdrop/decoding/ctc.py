"""Connectionist temporal classification (Graves et al. 2006): from outputs a frame to tokens.

At every step a network gives a distribution over tokens and ``blank``; a path collapses to tokens by merging
repetitions and dropping blanks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

LogProbs = npt.NDArray[np.floating]
"""Of one sequence, in nats: shape ``(time, tokens)``."""

NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class CTCHypothesis:
    """One decoded sequence."""

    tokens: tuple[int, ...]
    log_prob: float
    """Of the network, summed over all paths that the search has kept; of greedy decoding, of the one best path."""
    score: float
    """What it was ranked by: ``log_prob`` with the language model and the length bonus."""


def greedy(log_probs: LogProbs, blank: int) -> CTCHypothesis:
    """The tokens of the most probable path."""
    path = log_probs.argmax(1) if len(log_probs) else np.zeros(0, np.int64)
    log_prob = float(log_probs.max(1).sum(dtype=np.float64)) if len(log_probs) else 0.0
    return CTCHypothesis(collapse(path.tolist(), blank), log_prob, log_prob)


def collapse(path: Sequence[int], blank: int) -> tuple[int, ...]:
    """Merge repetitions, then drop blanks (Graves et al. 2006, section 3.1)."""
    steps = [token for number, token in enumerate(path) if number == 0 or token != path[number - 1]]
    return tuple(token for token in steps if token != blank)


def num_steps_needed(tokens: Sequence[int]) -> int:
    """The fewest steps that can say ``tokens``: a blank must stand between two that are alike."""
    return len(tokens) + sum(one == other for one, other in pairwise(tokens))


def align(log_probs: LogProbs, tokens: Sequence[int], blank: int) -> list[range]:
    """The steps at which each token is said, on the most probable path that collapses to ``tokens``.

    Raises:
        ValueError: there are too few steps for the tokens.
    """
    if len(log_probs) < num_steps_needed(tokens):
        raise ValueError(f"{len(log_probs)} steps cannot say {len(tokens)} tokens")
    if not tokens:
        return []
    said = [run for run in _runs(log_probs.argmax(1)) if run[0] != blank]
    if [token for token, _ in said] == list(tokens):  # no path at all is more probable
        return [steps for _, steps in said]
    states = _viterbi(log_probs.astype(np.float64), tokens, blank)
    return [steps for state, steps in _runs(states) if state % 2]


def between_silences(log_probs: LogProbs, blank: int, num_steps: float) -> list[range]:
    """The steps of each utterance: cut in the middle of blanks that are likeliest for so many steps or more."""
    runs = _runs(log_probs.argmax(1)) if len(log_probs) else []
    silences = [steps for token, steps in runs[1:-1] if token == blank and len(steps) >= num_steps]
    cuts = [0, *((steps.start + steps.stop) // 2 for steps in silences), len(log_probs)]
    return [range(start, end) for start, end in pairwise(cuts)]


def _runs(path: npt.NDArray[np.int64]) -> list[tuple[int, range]]:
    """Each value with the steps that have it in a row."""
    starts = np.flatnonzero(np.diff(path, prepend=path[0] - 1)).tolist()
    return [(int(path[start]), range(start, end)) for start, end in zip(starts, [*starts[1:], len(path)], strict=True)]


def _viterbi(log_probs: npt.NDArray[np.float64], tokens: Sequence[int], blank: int) -> npt.NDArray[np.int64]:
    """The state of each step; state 2n + 1 is token n, the even ones are the blanks around them."""
    labels = np.full(2 * len(tokens) + 1, blank)
    labels[1::2] = tokens
    may_skip = np.zeros(len(labels), bool)
    may_skip[3::2] = labels[3::2] != labels[1:-2:2]
    score = np.full(len(labels), NEVER)
    score[:2] = log_probs[0, labels[:2]]
    moves = np.zeros((len(log_probs), len(labels)), np.int8)
    for number, step in enumerate(log_probs[1:], 1):
        one = np.concatenate([[NEVER], score[:-1]])
        two = np.where(may_skip, np.concatenate([[NEVER, NEVER], score[:-2]]), NEVER)
        ways = np.stack([score, one, two])
        moves[number] = ways.argmax(0)
        score = ways.max(0) + step[labels]
    state = len(labels) - 1 if score[-1] >= score[-2] else len(labels) - 2
    states = np.zeros(len(log_probs), np.int64)
    for number in range(len(log_probs) - 1, -1, -1):
        states[number] = state
        state -= int(moves[number, state])
    return states
