"""Corpus scores from additive statistics of each test segment, by the names of the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lstmdrop.metrics.bleu import bleu_metric, reference_streams
from lstmdrop.metrics.bleu_tokenizer import tokenizer_in
from lstmdrop.metrics.perplexity import LogProbs
from lstmdrop.metrics.score import perplexity_of
from lstmdrop.metrics.significance import Segments, Statistics
from lstmdrop.metrics.text_units import UNITS, ScoredLines

References = Sequence[Sequence[str]]
"""Of each segment one reference or more."""

BLOCK = 50
"""Consecutive tokens that are drawn together: neighbours in one text are not independent."""


def bleu_segments(hypotheses: Sequence[str], references: References, signature: str = "") -> Segments:
    """sacreBLEU's BLEU in percent, with the tokeniser and the case that a score's ``signature`` says.

    Raises:
        MissingPartError: what the tokeniser needs is not here.
    """
    metric = bleu_metric(tokenizer_in(signature), lowercase=_is_lowercase(signature))
    return _sacrebleu_segments(metric, hypotheses, references)


def chrf_segments(hypotheses: Sequence[str], references: References, signature: str = "") -> Segments:
    """sacreBLEU's chrF2 in percent, with the case that a score's ``signature`` says."""
    from sacrebleu.metrics.chrf import CHRF

    return _sacrebleu_segments(CHRF(lowercase=_is_lowercase(signature)), hypotheses, references)


def word_error_segments(hypotheses: Sequence[str], references: References) -> Segments:
    """Word error rate in percent: edits over reference words; words are what blanks separate."""
    return _error_segments([line.split() for line in hypotheses], [one.split() for (one,) in references])


def character_error_segments(hypotheses: Sequence[str], references: References) -> Segments:
    """Character error rate in percent: edits over reference characters, blanks among them."""
    return _error_segments(hypotheses, [one for (one,) in references])


def frame_accuracy_segments(hypotheses: Sequence[str], references: References) -> Segments:
    """Right frames in percent; a line holds one label a frame, with blanks between.

    Raises:
        ValueError: an utterance has another number of labels than of frames.
    """
    rows = []
    for line, (reference,) in zip(hypotheses, references, strict=True):
        pairs = zip(line.split(), reference.split(), strict=True)
        matches = [ours == theirs for ours, theirs in pairs]
        rows.append((sum(matches), len(matches)))
    return Segments(np.array(rows, np.float64), _percentage)


def cider_segments(hypotheses: Sequence[str], references: References) -> Segments:
    """CIDEr-D by pycocoevalcap (Vedantam et al. 2015): the mean over images; lines are cut at blanks.

    Document frequencies are those of the whole test set, in every resample.
    """
    from pycocoevalcap.cider.cider import Cider

    numbers = range(len(hypotheses))
    _, scores = Cider().compute_score(
        {number: list(references[number]) for number in numbers}, {number: [hypotheses[number]] for number in numbers}
    )
    return Segments(np.stack([np.asarray(scores, np.float64), np.ones(len(hypotheses))], 1), _mean)


def perplexity_segments(log_probs: LogProbs, lengths: Sequence[int] | None = None) -> Segments:
    """Perplexity from log-probabilities in nats, in sentences of ``lengths``, else in blocks of `BLOCK` tokens.

    Raises:
        ValueError: the lengths are of another number of tokens.
    """
    if lengths is None:
        lengths = [min(BLOCK, log_probs.size - start) for start in range(0, log_probs.size, BLOCK)]
    if sum(lengths) != log_probs.size or not log_probs.size:
        raise ValueError(f"{log_probs.size} log-probabilities for {sum(lengths)} tokens")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    totals = np.add.reduceat(log_probs.astype(np.float64), starts)
    return Segments(np.stack([totals, np.asarray(lengths, np.float64)], 1), _perplexity)


def unit_segments(name: str, log_probs: LogProbs, lines: ScoredLines) -> Segments:
    """A score of `lstmdrop.metrics.text_units.UNITS`, in lines, short ones joined to `BLOCK` words or so.

    The text alone decides which: models that cut it into other tokens have the same segments.

    Raises:
        ValueError: the lines are of another number of tokens, or a line has none.
    """
    if not lines.tokens[1:].all():
        raise ValueError("the tokens cannot be told by line: the text has <eos> as a word")
    if lines.tokens.sum() != log_probs.size or not log_probs.size:
        raise ValueError(f"{log_probs.size} log-probabilities for {lines.tokens.sum()} tokens")
    _, field, value = UNITS[name]
    sums = np.concatenate([[0.0], np.cumsum(log_probs.astype(np.float64))])
    totals = np.diff(sums[np.concatenate([[0], np.cumsum(lines.tokens)])])
    blocks = (np.cumsum(lines.words) - lines.words) // BLOCK
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    statistics = np.add.reduceat(np.stack([totals, getattr(lines, field)], 1), starts)
    return Segments(statistics, lambda row: value(row[0], row[1]))


SegmentsOf = Callable[[Sequence[str], References], Segments]

SIGNED_SEGMENTS: Mapping[str, Callable[[Sequence[str], References, str], Segments]] = {
    "bleu": bleu_segments,
    "chrf": chrf_segments,
}
"""By score name, from predicted lines, their references and the score's signature, which says how they are cut."""

SEGMENTS: Mapping[str, SegmentsOf] = {
    "wer": word_error_segments,
    "cer": character_error_segments,
    "frame_accuracy": frame_accuracy_segments,
    "cider": cider_segments,
}
"""By score name, from predicted lines and their references."""


def _is_lowercase(signature: str) -> bool:
    return "case:lc" in signature.split("|")


def _sacrebleu_segments(metric: Any, hypotheses: Sequence[str], references: References) -> Segments:
    streams = reference_streams(references)
    # sacreBLEU's own paired tests work on these statistics too
    statistics = np.array(metric._extract_corpus_statistics(hypotheses, streams), np.float64)
    return Segments(statistics, lambda sums: float(metric._compute_score_from_stats(sums.tolist()).score))


def _error_segments(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Segments:
    pairs = zip(hypotheses, references, strict=True)
    return Segments(np.array([(edit_distance(*pair), len(pair[1])) for pair in pairs], np.float64), _percentage)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions between two sequences (Levenshtein 1966)."""
    row = list(range(len(second) + 1))
    for number, item in enumerate(first, start=1):
        diagonal, row[0] = row[0], number
        for column, other in enumerate(second, start=1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (item != other)),
            )
    return row[-1]


def _percentage(sums: Statistics) -> float:
    return 100 * _mean(sums)


def _mean(sums: Statistics) -> float:
    return float(sums[0] / sums[1])


def _perplexity(sums: Statistics) -> float:
    return perplexity_of(-sums[0] / sums[1])
