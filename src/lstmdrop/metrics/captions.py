"""CIDEr-D, BLEU, ROUGE-L, METEOR and SPICE of image captions, by pycocoevalcap, for all images and image by image."""

from __future__ import annotations

import logging
import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from lstmdrop.errors import as_list
from lstmdrop.metrics.bleu_tokenizer import CaptionCut
from lstmdrop.metrics.java_scores import meteor_score, require_meteor, require_spice, spice_score
from lstmdrop.metrics.ptb_tokenizer import cut_for, java_tokenizer, tokenize_captions
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.segments import References, SegmentsOf, cider_segments
from lstmdrop.metrics.significance import Segments, Statistics

_MAX_ORDER = 4
_SIGMA = 6.0
_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class _Caption:
    """A caption as vectors, one an order of n-grams."""

    length: int
    """The number of bigrams, as in pycocoevalcap."""
    weights: list[dict[str, float]]
    norms: list[float]


class CiderD:
    """CIDEr-D as pycocoevalcap gives it (Vedantam, Zitnick & Parikh 2015), with the references weighed beforehand.

    ``references`` are the tokenised references of each image, at least one; document frequencies are theirs.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        self._log_images = math.log(len(references)) if references else 0.0
        frequencies: Counter[str] = Counter()
        for some in references:
            frequencies.update({sys.intern(ngram) for line in some for counts in _count(line) for ngram in counts})
        self._rarity = {ngram: self._log_images - math.log(frequency) for ngram, frequency in frequencies.items()}
        self._images = [[self._weigh(line) for line in some] for some in references]

    def scores(self, numbers: Sequence[int], hypotheses: Sequence[str]) -> Statistics:
        """Of each tokenised hypothesis against the references of the image of that number, counted from 0.

        Raises:
            ValueError: there is not one number a hypothesis.
        """
        pairs = zip(numbers, hypotheses, strict=True)
        return np.array([self._score(self._images[number], line) for number, line in pairs], np.float64)

    def _score(self, references: Sequence[_Caption], hypothesis: str) -> float:
        ours = self._weigh(hypothesis)
        return _SCALE * sum(_similarity(ours, theirs) for theirs in references) / len(references)

    def _weigh(self, line: str) -> _Caption:
        counts, rarity, unseen = _count(line), self._rarity, self._log_images
        weights = [
            {sys.intern(ngram): count * rarity.get(ngram, unseen) for ngram, count in some.items()} for some in counts
        ]
        norms = [math.sqrt(sum(weight * weight for weight in some.values())) for some in weights]
        return _Caption(sum(counts[1].values()), weights, norms)


def _similarity(hypothesis: _Caption, reference: _Caption) -> float:
    """The mean over orders of the cosines with clipped weights, less where lengths differ."""
    total = 0.0
    for order, (ours, theirs) in enumerate(zip(hypothesis.weights, reference.weights, strict=True)):
        product = 0.0
        for ngram in ours.keys() & theirs.keys():
            product += min(ours[ngram], theirs[ngram]) * theirs[ngram]
        if product:
            total += product / (hypothesis.norms[order] * reference.norms[order])
    difference = hypothesis.length - reference.length
    return total / _MAX_ORDER * math.exp(-(difference**2) / (2 * _SIGMA**2))


def _count(line: str) -> list[Mapping[str, int]]:
    """Of each order its n-grams, words joined by blanks."""
    words = line.split()
    return [
        Counter([" ".join(words[start : start + order]) for start in range(len(words) - order + 1)])
        for order in range(1, _MAX_ORDER + 1)
    ]


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


def tokenize_pairs(hypotheses: Sequence[str], references: References, cut: CaptionCut | None = None) -> TokenizedPairs:
    """Tokens of both sides, from one call of the tokeniser; what it cuts into is told from the references by default.

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
    lines = [line for some in references for line in some]
    tokenised = tokenize_captions([*hypotheses, _BOUNDARY, *lines], cut or cut_for(lines))
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


def caption_segments(cut: CaptionCut | None = None) -> Mapping[str, SegmentsOf]:
    """By score name, from captions and references as they were written."""

    def from_raw(make: Callable[[TokenizedPairs], Segments]) -> SegmentsOf:
        return lambda hypotheses, references: make(tokenize_pairs(hypotheses, references, cut))

    return {name: from_raw(make) for name, make in _MAKERS.items()}


FEW_IMAGES = 100
"""Below so many, CIDEr's document frequencies say little."""

log = logging.getLogger("lstmdrop.metrics")


def caption_scores(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    extra: Mapping[str, str],
    *,
    cut: CaptionCut | None = None,
    meteor: bool = False,
    spice: bool = False,
) -> list[Score]:
    """CIDEr-D, then BLEU-4, -1, -2, -3 and ROUGE-L (and METEOR, SPICE) in percent, of captions as they were written.

    CIDEr-D is as pycocoevalcap gives it: ten times the mean cosine, with the document frequencies of ``references``.
    An empty caption counts in full. Without a ``cut``, the references' script says what is a word.

    Raises:
        ValueError: there is a single image, not one caption an image, or an image without references.
        MissingPartError: METEOR without a Java that runs; SPICE without that or Stanford's models.
        JavaError: a Java program stopped, or gave an answer that cannot be read.
    """
    if len(hypotheses) == len(references) == 1:
        raise ValueError("CIDEr of a single image is always 0: score two images or more, better a hundred")
    require_parts(meteor=meteor, spice=spice)
    pairs = tokenize_pairs(hypotheses, references, cut)
    if len(hypotheses) < FEW_IMAGES:
        log.warning("CIDEr of %d images says little: score at least %d", len(hypotheses), FEW_IMAGES)
    values = {name: segments.value for name, segments in segments_of(pairs).items()}
    if meteor:
        values["meteor"] = 100 * meteor_score(pairs.hypotheses, pairs.references)
    if spice:
        values["spice"] = 100 * spice_score(pairs.hypotheses, pairs.references)
    signature = _signature(pairs, extra)
    return [Score(name, value, higher_is_better=True, signature=signature) for name, value in values.items()]


def require_parts(*, meteor: bool, spice: bool) -> None:
    """Tries what the scores need, so that it can be asked for before the captions are made; Java's tokeniser too.

    Raises:
        MissingPartError: something is missing; the message says how to get it.
    """
    java_tokenizer()
    if meteor:
        require_meteor()
    if spice:
        require_spice()


def _signature(pairs: TokenizedPairs, extra: Mapping[str, str]) -> str:
    numbers = [len(some) for some in pairs.references]
    details = {
        "tokenizer": pairs.tokenizer, "images": str(len(numbers)), "refs": f"{min(numbers)}-{max(numbers)}", **extra,
        "pycocoevalcap": version("pycocoevalcap"), "version": version("lstmdrop"),
    }  # fmt: skip
    return "|".join(f"{key}:{value}" for key, value in details.items())
