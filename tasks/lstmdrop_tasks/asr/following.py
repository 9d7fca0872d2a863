"""What is understood so far of sound that still comes: what cannot change any more is not worked out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop_tasks.asr.decoder import Decoder, Said

Follower = Callable[[LogProbs], dict[str, Any]]
"""Takes the next outputs, and describes all so far."""


def follower(decoder: Decoder, seconds_a_step: float) -> Follower:
    """Of one recording."""
    return (GreedyFollower if decoder.is_greedy else BeamFollower)(decoder, seconds_a_step)


class GreedyFollower:
    """The likeliest path, step by step: a word is final when the next one has begun."""

    def __init__(self, decoder: Decoder, seconds_a_step: float) -> None:
        self._decoder = decoder
        self._seconds_a_step = seconds_a_step
        self._final: list[dict[str, Any]] = []
        self._open: list[Said] = []
        """The tokens of the last word, and those before any word."""
        self._last = decoder.tokenizer.eos
        self._num_steps = 0
        self._log_prob = 0.0

    def __call__(self, log_probs: LogProbs) -> dict[str, Any]:
        """The words so far."""
        path = log_probs.argmax(1).tolist()
        scores = log_probs.max(1)
        for token, score in zip(path, scores.tolist(), strict=True):
            self._say(token, score)
        self._log_prob += float(scores.sum(dtype=np.float64))
        spoken = self._decoder.spoken(self._open)
        self._final += [word.timed(self._seconds_a_step) for word in spoken[:-1]]
        if len(spoken) > 1:
            self._open = self._open[spoken[-1].first :]
        words = [*self._final, *(word.timed(self._seconds_a_step) for word in spoken[-1:])]
        text = " ".join(word["word"] for word in words)
        best = {"text": text, "log_prob": self._log_prob, "score": self._log_prob}
        return {"text": text, "words": words, "hypotheses": [best]}

    def _say(self, token: int, score: float) -> None:
        if token != self._last:
            self._last = token
            if token != self._decoder.tokenizer.eos:
                self._open.append(Said(token, self._num_steps, self._num_steps + 1, [score]))
        elif token != self._decoder.tokenizer.eos:
            said = self._open[-1]
            self._open[-1] = said._replace(end=self._num_steps + 1)
            said.log_probs.append(score)
        self._num_steps += 1


class BeamFollower:
    """The search goes on where it was; which steps its best words take is worked out from the start."""

    def __init__(self, decoder: Decoder, seconds_a_step: float) -> None:
        self._decoder = decoder
        self._seconds_a_step = seconds_a_step
        self._accept = decoder.stream()
        self._parts: list[LogProbs] = []

    def __call__(self, log_probs: LogProbs) -> dict[str, Any]:
        """The hypotheses so far."""
        self._parts.append(log_probs)
        return self._decoder.describe(np.concatenate(self._parts), self._accept(log_probs), self._seconds_a_step)
