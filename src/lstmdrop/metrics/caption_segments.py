"""What caption scores are made of, image by image: CIDEr-D, BLEU and ROUGE-L by pycocoevalcap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lstmdrop.errors import as_list
from lstmdrop.metrics.ptb_tokenizer import tokenize_captions
from lstmdrop.metrics.segments import References, SegmentsOf, cider_segments
from lstmdrop.metrics.significance import Segments, Statistics

_SMALL, _TINY = 1e-9, 1e-15
"""What pycocoevalcap adds below and above the bar."""
_BOUNDARY = "a"
"""A line between both sides: Stanford's tokeniser looks past the end of a line for the start of a sentence."""


@dataclass(frozen=True, slots=True)
class TokenizedPairs:
    """Hypotheses and references after one and the same tokeniser."""

    hypotheses: Sequence[str]
    references: References
    tokenizer: str


def tokenize_pairs(hypotheses: Sequence[str], references: References) -> TokenizedPairs:
    """Tokens of both sides, from one call of the tokeniser.

    Raises:
        ValueError: there is not one hypothesis an image, an image has no references, or no reference has words.
    """
    if len(as_list("hypotheses", hypotheses)) != len(references) or not hypotheses:
        raise ValueError(
            f"{len(hypotheses)} captions cannot be scored against the references of {len(references)} images"
        )
    for number, some in enumerate(references, start=1):
        if not some or isinstance(some, str):
            raise ValueError(f"image {number} has no list of reference captions")
    tokenised = tokenize_captions([*hypotheses, _BOUNDARY, *(line for some in references for line in some)])
    rest = iter(tokenised.lines[len(hypotheses) + 1 :])
    grouped = [[next(rest) for _ in some] for some in references]
    if not any(line for some in grouped for line in some):
        raise ValueError("the reference captions have no words")
    return TokenizedPairs(tokenised.lines[: len(hypotheses)], grouped, tokenised.tokenizer)


def bleu_segments(pairs: TokenizedPairs, order: int) -> Segments:
    """BLEU of n-grams up to ``order`` in percent, with the closest reference's length."""
    from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test

    rows = []
    for hypothesis, references in zip(pairs.hypotheses, pairs.references, strict=True):
        counts = cook_test(hypothesis, cook_refs(references, n=_MAX_ORDER), eff="closest", n=_MAX_ORDER)
        rows.append([counts["testlen"], counts["reflen"], *counts["correct"][:order], *counts["guess"][:order]])
    return Segments(np.array(rows, np.float64), _bleu)


def rouge_segments(pairs: TokenizedPairs) -> Segments:
    """ROUGE-L (F with beta 1.2 of the best precision and the best recall) in percent: the mean over images."""
    from pycocoevalcap.rouge.rouge import Rouge

    rouge = Rouge()
    scored = zip(pairs.hypotheses, pairs.references, strict=True)
    return _mean_of([100 * rouge.calc_score([hypothesis], references) for hypothesis, references in scored])


def _mean_of(values: Sequence[float]) -> Segments:
    statistics = np.stack([np.asarray(values, np.float64), np.ones(len(values))], 1)
    return Segments(statistics, lambda sums: float(sums[0] / sums[1]))


def _bleu(sums: Statistics) -> float:
    """Of the lengths of hypotheses and references, matches of each order, n-grams of each order."""
    length, reference_length = sums[0], sums[1]
    matches, totals = np.split(sums[2:], 2)
    precisions = (matches + _TINY) / (totals + _SMALL)
    ratio = (length + _TINY) / (reference_length + _SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    return float(100 * brevity * np.prod(precisions) ** (1 / len(precisions)))


_MAKERS: Mapping[str, Callable[[TokenizedPairs], Segments]] = {
    "cider": lambda pairs: cider_segments(pairs.hypotheses, pairs.references),
    "bleu4": lambda pairs: bleu_segments(pairs, 4),
    "bleu1": lambda pairs: bleu_segments(pairs, 1),
    "bleu2": lambda pairs: bleu_segments(pairs, 2),
    "bleu3": lambda pairs: bleu_segments(pairs, 3),
    "rouge_l": rouge_segments,
}


def segments_of(pairs: TokenizedPairs) -> dict[str, Segments]:
    """Every caption score's statistics, CIDEr-D's first."""
    return {name: make(pairs) for name, make in _MAKERS.items()}


def _from_raw(make: Callable[[TokenizedPairs], Segments]) -> SegmentsOf:
    return lambda hypotheses, references: make(tokenize_pairs(hypotheses, references))


CAPTION_SEGMENTS: Mapping[str, SegmentsOf] = {name: _from_raw(make) for name, make in _MAKERS.items()}
"""By score name, from captions and references as they were written."""
