"""The utterances of a corpus that can be used: with a text where one is needed, and times that lie in their sound."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.audio.reading import TOLERANCE, sound_seconds
from lstmdrop_tasks.asr.config import Objective
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

NUM_NAMED = 20
"""Utterances of a split that are named in the log."""

log = logging.getLogger("lstmdrop.asr")


def usable(corpus: SpeechCorpus, objective: Objective) -> SpeechCorpus:
    """The corpus without what can be neither trained on nor scored; of each split the log says what that is, and why.

    Raises:
        DataError: nothing of a split is left.
    """
    splits: dict[Split, tuple[Utterance, ...]] = {}
    left_out: dict[Split, Mapping[str, str]] = {}
    length = lru_cache(maxsize=None)(sound_seconds)  # of each recording once, as it is now
    for split, utterances in corpus.splits.items():
        reasons = {
            utterance.id: ": ".join(filter(None, (utterance.where, utterance.id, reason)))
            for utterance in utterances
            if (reason := _missing_text(utterance, objective) or misplaced(utterance, length))
        }
        splits[split] = tuple(utterance for utterance in utterances if utterance.id not in reasons)
        left_out[split] = reasons
        _tell(split, list(reasons.values()), len(utterances))
    return SpeechCorpus(corpus.name, splits, left_out)


def _missing_text(utterance: Utterance, objective: Objective) -> str:
    return "it has no text" if objective == "ctc" and utterance.text is None else ""


def misplaced(utterance: Utterance, length: Callable[[Path], float | None]) -> str:
    """What is wrong with where in its recording an utterance is said to be; ``length`` gives the seconds of a sound."""
    start, end = utterance.start, utterance.end
    if start is None and end is None:
        return ""
    if utterance.has_features:
        return "it has times, which ready-made features have no use for: cut them out"
    seconds = length(utterance.source)
    begin, finish = start or 0.0, math.inf if end is None else end
    if math.isnan(begin) or math.isnan(finish):
        wrong = "a time is not a number"
    elif begin < 0 or finish < 0:
        wrong = "a time is negative"
    elif finish <= begin:
        wrong = "it ends before it starts" if finish < begin else "it is of no length"
    elif seconds is not None and (begin >= seconds or (end is not None and end > seconds + TOLERANCE)):
        wrong = "it reaches beyond the sound"
    else:
        return ""
    sound = "" if seconds is None else f", which is {seconds:.2f} s long"
    return f"{wrong}: from {begin:g} s to {'the end' if end is None else f'{end:g} s'} of {utterance.source}{sound}"


def _tell(split: Split, reasons: Sequence[str], num_utterances: int) -> None:
    if not reasons:
        return
    if len(reasons) == num_utterances:
        raise DataError(f"none of {num_utterances:,} {split} utterances can be used; the first:\n{reasons[0]}")
    for reason in reasons[:NUM_NAMED]:
        log.warning("left out of %s: %s", split, reason)
    log.warning(
        "%d of %d %s utterances are left out, neither trained on nor scored", len(reasons), num_utterances, split
    )
