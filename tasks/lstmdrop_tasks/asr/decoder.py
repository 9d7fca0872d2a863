"""From the network's outputs to text, words with times and confidences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.vocabulary import UNK
from lstmdrop.decoding.ctc import CTCHypothesis, LogProbs, align, between_silences, greedy
from lstmdrop.decoding.ctc_search import CTCBeamSettings, PrefixBeamSearch, prefix_beam_search
from lstmdrop.metrics.word_error_rate import UNKNOWN
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.fusion import Adviser, WeightedSum

UNKNOWN_PIECE = " ⁇ "
"""How SentencePiece writes what it does not know."""
PRUNE = 10.0
"""Tokens of less than e^-10 of the likeliest's probability are not tried in the search."""

AdviserName = Literal["lm", "arpa", "hot_words"]
WEIGHT_OF: Mapping[AdviserName, str] = {"lm": "lm_weight", "arpa": "arpa_weight", "hot_words": "hot_word_weight"}
NO_ADVISERS: Mapping[AdviserName, Adviser] = {}


class Decoder:
    """Greedy, or a prefix beam search where a beam or an adviser (by the setting that names it) is asked for."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: ASRDecodingConfig,
        num_best: int = 1,
        advisers: Mapping[AdviserName, Adviser] = NO_ADVISERS,
    ) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.advisers = advisers
        weighted = [(self.weight(name), adviser) for name, adviser in advisers.items()]
        self.scorer = WeightedSum(weighted) if any(weight for weight, _ in weighted) else None
        self.settings = CTCBeamSettings(
            beam_size=config.beam_size,
            num_best=num_best,
            lm_weight=1.0 if self.scorer else 0.0,
            most_gain=self.scorer.most_gain if self.scorer else 0.0,
            length_bonus=config.length_bonus,
            prune=PRUNE,
        )
        self.is_greedy = self.settings.beam_size == 1 and self.scorer is None and config.length_bonus == 0

    def weight(self, name: AdviserName) -> float:
        """Of an adviser's say, as the settings have it."""
        weight: float = getattr(self.config, WEIGHT_OF[name])
        return weight

    def decode(self, log_probs: LogProbs, start: Any = None) -> list[CTCHypothesis]:
        """The best hypotheses for ``(steps, tokens)``, best first; ``start`` as in `prefix_beam_search`."""
        if self.is_greedy:
            return [greedy(log_probs, self.tokenizer.eos)]
        return prefix_beam_search(log_probs, self.tokenizer.eos, self.settings, self.scorer, start)

    def describe(
        self, log_probs: LogProbs, hypotheses: Sequence[CTCHypothesis], seconds_a_step: float
    ) -> dict[str, Any]:
        """The best text, its words, and all hypotheses."""
        return {
            "text": self.text(hypotheses[0]),
            "words": self.words(log_probs, hypotheses[0].tokens, seconds_a_step),
            "hypotheses": [
                {"text": self.text(one), "log_prob": one.log_prob, "score": one.score} for one in hypotheses
            ],
        }

    def describe_utterances(self, log_probs: LogProbs, seconds_a_step: float, pause: float) -> dict[str, Any]:
        """As `describe`, each utterance searched by itself: a new one begins after so many seconds without a token."""
        steps = between_silences(log_probs, self.tokenizer.eos, max(1.0, pause / seconds_a_step))
        parts = [log_probs[one.start : one.stop] for one in steps]
        if len(parts) < 2:
            return self.describe(log_probs, self.decode(log_probs), seconds_a_step)
        found = [self.describe(part, self.decode(part), seconds_a_step) for part in parts]
        moved = [later(one, place.start * seconds_a_step) for one, place in zip(found, steps, strict=True)]
        best = [one["hypotheses"][0] for one in found]
        text = " ".join(one["text"] for one in best if one["text"])
        sums = {key: sum(one[key] for one in best) for key in ("log_prob", "score")}
        words = [word for one in moved for word in one["words"]]
        return {"text": text, "words": words, "hypotheses": [{"text": text, **sums}]}

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
        signature = {"decoding": f"beam{self.settings.beam_size}"}
        for name, adviser in self.advisers.items():
            signature[name] = adviser.fingerprint[:12]
            signature[WEIGHT_OF[name]] = f"{self.weight(name):g}"
        return {**signature, "length_bonus": f"{self.config.length_bonus:g}"}

    def words(self, log_probs: LogProbs, tokens: Sequence[int], seconds_a_step: float) -> list[dict[str, Any]]:
        """Each word with its start and end in seconds and its confidence, the geometric mean over its tokens' steps."""
        spans = zip(tokens, align(log_probs, tokens, self.tokenizer.eos), strict=True)
        said = [Said(one, at.start, at.stop, log_probs[at.start : at.stop, one].tolist()) for one, at in spans]
        return [word.timed(seconds_a_step) for word in self.spoken(said)]

    def spoken(self, said: Sequence[Said]) -> list[Word]:
        """The words of tokens; a token that says nothing is in none."""
        words: list[Word] = []
        begin = 0
        for number, one in enumerate(said):
            so_far = self._decoded([token for token, *_ in said[begin : number + 1]])
            texts = so_far.split()
            if len(texts) == 0 or so_far.endswith(" "):
                continue
            if len(texts) > 1 or not words:
                begin = number
                words.append(Word(number, one.start))
            words[-1].add(texts[-1], one)
        return words


def later(found: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """An output whose words or phones come so many seconds later."""
    key = "words" if "words" in found else "phones"
    moved = [{**one, **{end: round(one[end] + seconds, 3) for end in ("start", "end")}} for one in found[key]]
    return {**found, key: moved}


class Said(NamedTuple):
    """A token, the steps that say it and its log-probability at each."""

    token: int
    start: int
    end: int
    log_probs: list[float]


@dataclass
class Word:
    """A word as its tokens come."""

    first: int
    """The number of its first token."""
    start: int
    end: int = 0
    text: str = ""
    log_probs: list[float] = field(default_factory=list)

    def add(self, text: str, said: Said) -> None:
        """One token more makes it ``text``."""
        self.text, self.end = text, said.end
        self.log_probs += said.log_probs

    def timed(self, seconds_a_step: float) -> dict[str, Any]:
        """In seconds, for an output."""
        return {
            "word": self.text,
            "start": round(self.start * seconds_a_step, 3),
            "end": round(self.end * seconds_a_step, 3),
            "confidence": round(math.exp(float(np.mean(self.log_probs))), 4),
        }
