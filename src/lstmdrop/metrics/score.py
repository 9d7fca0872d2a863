"""A score and how it was made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

COUNTED = (
    "segments",
    "lines",
    "utterances",
    "images",
    "references",
    "tokens",
    "words",
    "characters",
    "bytes",
    "frames",
    "unknown",
)
"""Keys of a signature that say over how many of what a score was made."""


ADAPTED = ("dynamic", "cache", "temperature")
"""Keys of a signature that say what a model learnt from the text that it was scored on."""


_TITLES = {
    "wer": "WER", "cer": "CER", "bleu": "BLEU", "chrf": "chrF", "cider": "CIDEr", "rouge_l": "ROUGE-L",
    "meteor": "METEOR", "spice": "SPICE", "ctc_loss": "CTC loss",
    **{f"bleu{order}": f"BLEU-{order}" for order in range(1, 5)},
}  # fmt: skip
_DECIMALS = {"cider": 3}  # about 1 for a strong model, where the others are percentages or larger


def metric_title(name: str) -> str:
    """A score's name as a reader knows it: ``WER``, ``CIDEr``, ``frame accuracy``."""
    return _TITLES.get(name, name.replace("_", " "))


def perplexity_of(loss: float) -> float:
    """Of a mean negative log-likelihood in nats; infinite where no number is as large."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def metric_decimals(name: str) -> int:
    """As many as a table shows of a score of that name."""
    return _DECIMALS.get(name, 2)


@dataclass(frozen=True, slots=True)
class Score:
    """One number on one split, with the signature that says how it was made (as sacreBLEU's does).

    ``signature`` is a ``|``-joined list of ``key:value`` pairs, for example
    ``tokens:82429|vocabulary:10000|stream:single|carried:yes|sha256:1f0c9a8b7d2e``.
    """

    name: str
    value: float
    higher_is_better: bool
    signature: str

    @property
    def counts(self) -> dict[str, int]:
        """Over how many of what it was made, as its signature says."""
        pairs = dict(part.split(":", 1) for part in self.signature.split("|") if ":" in part)
        return {name: int(pairs[name]) for name in COUNTED if pairs.get(name, "").isdecimal() and len(pairs[name]) < 20}

    @property
    def adaptation(self) -> dict[str, str]:
        """What the model learnt from the text as it was scored, as its signature says: mostly nothing."""
        pairs = dict(part.split(":", 1) for part in self.signature.split("|") if ":" in part)
        return {name: pairs[name] for name in ADAPTED if name in pairs}

    def is_better_than(self, other: Score) -> bool:
        """Whether this score beats ``other``; a tie does not."""
        return self.value > other.value if self.higher_is_better else self.value < other.value


def are_better(scores: Sequence[Score], others: Sequence[Score]) -> bool:
    """Whether the first score that differs is the better one; a score that is no number decides nothing.

    Both are the scores of one task, the most telling first: where BLEU is 0 twice, chrF decides.
    """
    for score, other in zip(scores, others, strict=False):
        if score.is_better_than(other) or other.is_better_than(score):
            return score.is_better_than(other)
    return False
