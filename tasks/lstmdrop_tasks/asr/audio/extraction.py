"""One utterance: its features and labels, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import Features, compute_features, read_features
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.alignment import Alignment, Interval, frame_labels, read_alignment
from lstmdrop_tasks.asr.corpora.utterance import Utterance


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
        alignment = _faster(read_alignment(utterance), speed)
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
