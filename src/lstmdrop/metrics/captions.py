"""CIDEr-D, BLEU, ROUGE-L, METEOR and SPICE of image captions, by pycocoevalcap."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from lstmdrop.metrics.caption_segments import TokenizedPairs, segments_of, tokenize_pairs
from lstmdrop.metrics.meteor import meteor_score, require_meteor
from lstmdrop.metrics.ptb_tokenizer import java_tokenizer
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.spice import require_spice, spice_score

FEW_IMAGES = 100
"""Below so many, CIDEr's document frequencies say little."""

log = logging.getLogger("lstmdrop.metrics")


def caption_scores(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    extra: Mapping[str, str],
    *,
    meteor: bool = False,
    spice: bool = False,
) -> list[Score]:
    """CIDEr-D, then BLEU-4, -1, -2, -3 and ROUGE-L (and METEOR, SPICE) in percent, of captions as they were written.

    CIDEr-D is as pycocoevalcap gives it: ten times the mean cosine, with the document frequencies of ``references``.
    An empty caption counts in full.

    Raises:
        ValueError: there is a single image, not one caption an image, or an image without references.
        MissingPartError: METEOR without a Java that runs; SPICE without that or Stanford's models.
        JavaError: a Java program stopped, or gave an answer that cannot be read.
    """
    if len(hypotheses) == len(references) == 1:
        raise ValueError("CIDEr of a single image is always 0: score two images or more, better a hundred")
    require_parts(meteor=meteor, spice=spice)
    pairs = tokenize_pairs(hypotheses, references)
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
