"""What the lines of a run's predictions should have been."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.registry import cache_dir
from lstmdrop.metrics.word_error_rate import normalise_transcript
from lstmdrop.plugin import ScoredItem
from lstmdrop_tasks.asr.audio.store import build_store
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.recordings import usable

SILENCE = "-"
"""Stands for a phone without a name."""


def references(config: ASRConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    """What is said in each test utterance, as error rates compare it; for frames, its name and the phone of each frame.

    Raises:
        DataError: the data is missing or damaged.
    """
    utterances = usable(find_corpus(config.data.name, data_dir, settings=config.data), config.objective).splits["test"]
    if config.objective == "ctc":
        return [
            ScoredItem([normalise_transcript(utterance.text or "", config.data.normalisation)])
            for utterance in utterances
        ]
    store = build_store(utterances, config.features, cache_dir() / "features", labelled=True)
    unused = {**store.problems, **store.mismatches}
    items = []
    for number, utterance in enumerate(utterances):
        if utterance.id not in unused:
            phones = [store.phones[int(phone)] or SILENCE for phone in store.phones_of(number)]
            items.append(ScoredItem([" ".join([utterance.id, *phones])]))
    return items
