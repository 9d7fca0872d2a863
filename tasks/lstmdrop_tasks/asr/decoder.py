"""From the network's outputs to text, words with times and confidences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.vocabulary import UNK
from lstmdrop.decoding.ctc import CTCHypothesis, LogProbs, align, greedy
from lstmdrop.decoding.ctc_search import CTCBeamSettings, PrefixBeamSearch, prefix_beam_search
from lstmdrop.metrics.word_error_rate import UNKNOWN
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.fusion import LMScorer

UNKNOWN_PIECE = " ⁇ "
"""How SentencePiece writes what it does not know."""
PRUNE = 10.0
"""Tokens of less than e^-10 of the likeliest's probability are not tried in the search."""


class Decoder:
    """Greedy, or a prefix beam search where a beam or an LM is asked for."""

    def __init__(
        self, tokenizer: Tokenizer, config: ASRDecodingConfig, num_best: int = 1, scorer: LMScorer | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.scorer = scorer
        self.settings = CTCBeamSettings(
            beam_size=config.beam_size,
            num_best=num_best,
            lm_weight=config.lm_weight if scorer else 0.0,
            length_bonus=config.length_bonus,
            prune=PRUNE,
        )
        self.is_greedy = self.settings.beam_size == 1 and scorer is None and config.length_bonus == 0

    def decode(self, log_probs: LogProbs, start: Any = None) -> list[CTCHypothesis]:
        """The best hypotheses for ``(steps, tokens)``, best first; ``start`` as in `prefix_beam_search`."""
        if self.is_greedy:
            return [greedy(log_probs, self.tokenizer.eos)]
        return prefix_beam_search(log_probs, self.tokenizer.eos, self.settings, self.scorer, start)

    def stream(self) -> Callable[[LogProbs], list[CTCHypothesis]]:
        """Takes outputs piece by piece, and gives each time the best hypotheses for all so far."""
        parts: list[LogProbs] = []
        search = PrefixBeamSearch(self.tokenizer.eos, self.settings, self.scorer)

        def follow(log_probs: LogProbs) -> list[CTCHypothesis]:
            if self.is_greedy:
                parts.append(log_probs)
                return self.decode(np.concatenate(parts))
            search.accept(log_probs)
            return search.hypotheses()

        return follow

    def text(self, hypothesis: CTCHypothesis) -> str:
        """What was said."""
        return " ".join(self._decoded(hypothesis.tokens).split())

    def _decoded(self, tokens: Sequence[int]) -> str:
        """What the vocabulary lacks is one symbol, not the letters of its name."""
        return self.tokenizer.decode(tokens).replace(UNK, UNKNOWN).replace(UNKNOWN_PIECE, UNKNOWN)

    def signature(self) -> dict[str, str]:
        """How outputs were decoded."""
        if self.is_greedy:
            return {"decoding": "greedy"}
        fusion = {"lm": self.scorer.fingerprint[:12], "lm_weight": f"{self.config.lm_weight:g}"} if self.scorer else {}
        return {
            "decoding": f"beam{self.settings.beam_size}", **fusion, "length_bonus": f"{self.config.length_bonus:g}"
        }  # fmt: skip

    def words(self, log_probs: LogProbs, tokens: Sequence[int], seconds_a_step: float) -> list[dict[str, Any]]:
        """Each word with its start and end in seconds and its confidence: the mean probability of its tokens' steps."""
        spans = align(log_probs, tokens, self.tokenizer.eos)
        words: list[dict[str, Any]] = []
        begin = 0
        for number, token in enumerate(tokens):
            so_far = self._decoded(tokens[begin : number + 1])
            texts = so_far.split()
            if len(texts) == 0 or so_far.endswith(" "):
                continue
            steps = spans[number]
            if len(texts) > 1 or not words:
                begin = number
                words.append({"start": steps.start, "end": steps.stop, "log_probs": []})
            words[-1]["word"], words[-1]["end"] = texts[-1], steps.stop
            words[-1]["log_probs"] += log_probs[steps.start : steps.stop, token].tolist()
        return [_timed(word, seconds_a_step) for word in words]


def _timed(word: dict[str, Any], seconds_a_step: float) -> dict[str, Any]:
    return {
        "word": word["word"],
        "start": round(word["start"] * seconds_a_step, 3),
        "end": round(word["end"] * seconds_a_step, 3),
        "confidence": round(math.exp(float(np.mean(word["log_probs"]))), 4),
    }
