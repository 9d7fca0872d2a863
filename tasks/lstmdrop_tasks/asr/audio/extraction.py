"""One utterance: its features and labels, or what is wrong with it; and whether they are those of before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstmdrop.data.fingerprint import remembered_content
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import Features, compute_features, read_features
from lstmdrop_tasks.asr.audio.reading import heading_of, read_audio
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.alignment import Alignment, Interval, frame_labels, read_alignment
from lstmdrop_tasks.asr.corpora.utterances import Utterance


def content_of(utterances: Sequence[Utterance], *, labelled: bool) -> str:
    """Hash over what features are made from: ids, which sound (and, where ``labelled``, alignment) each has, and
    where in it; not the transcripts.
    """
    columns: list[Sequence[Path | None]] = [[utterance.source for utterance in utterances]]
    if labelled:
        columns.append([utterance.alignment for utterance in utterances])
    parts = [f"{utterance.id} {utterance.start} {utterance.end}{_channel(utterance)}" for utterance in utterances]
    files: list[Path] = []
    for column in columns:
        own = list(dict.fromkeys(path for path in column if path is not None))
        places = {path: place for place, path in enumerate(own)}
        which = [None if path is None else places[path] for path in column]
        if which not in (list(range(len(column))), [0] * len(column), [None] * len(column)):
            parts.append(f"files {which}")  # where each has its own, or all have one, their order says it
        files += own
    return remembered_content(files, parts)


def _channel(utterance: Utterance) -> str:
    return "" if utterance.channel is None else f" channel {utterance.channel}"


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of an utterance."""

    features: Features
    labels: Sequence[str] = ()
    seconds: float = 0.0
    problem: str = ""
    """Why it cannot be read."""
    mismatch: str = ""
    """Why its labels cannot be used."""


NOTHING = np.zeros((0, 0), np.float32)


def extract(utterance: Utterance, config: FeatureConfig, *, labelled: bool, speed: float) -> Extracted:
    """Features of one utterance; trouble is told, not raised."""
    try:
        features, seconds = _features(utterance, config, speed)
    except DataError as error:
        return Extracted(NOTHING, problem=str(error))
    if not labelled:
        return Extracted(features, seconds=seconds)
    try:
        alignment = _faster(read_alignment(utterance, heading_of), speed)
        labels = frame_labels(alignment, len(features), seconds, config.frame_shift / 1000)
    except DataError as error:
        return Extracted(NOTHING, mismatch=str(error))
    return Extracted(features, labels, seconds)


def _features(utterance: Utterance, config: FeatureConfig, speed: float) -> tuple[Features, float]:
    if utterance.has_features:
        if speed != 1.0:
            raise DataError(f"{utterance.source}: only sound can be played faster: set augmentation.speeds to [1.0]")
        features = read_features(utterance.source, config)
        return features, len(features) * config.frame_shift / 1000
    one = utterance
    samples = read_audio(one.source, config.sample_rate, start=one.start, end=one.end, channel=one.channel, speed=speed)
    features = compute_features(samples, config)
    if len(features) == 0:
        raise DataError(f"{utterance.source}: {len(samples) / config.sample_rate:.3f} s are shorter than one frame")
    return features, len(samples) / config.sample_rate


def _faster(alignment: Alignment, speed: float) -> Alignment:
    if speed == 1.0:
        return alignment
    intervals = [Interval(start / speed, end / speed, label) for start, end, label in alignment.intervals]
    return Alignment(intervals, None if alignment.end is None else alignment.end / speed)
