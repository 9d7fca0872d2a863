"""Scores of predictions, utterance by utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstmdrop.metrics.segments import (
    References,
    SegmentsOf,
    character_error_segments,
    frame_accuracy_segments,
    word_error_segments,
)
from lstmdrop.metrics.significance import Segments
from lstmdrop.metrics.word_error_rate import Normalisation, normalise_transcript
from lstmdrop_tasks.asr.config import ASRConfig


def _normalised(make: SegmentsOf, normalisation: Normalisation) -> SegmentsOf:
    def segments(hypotheses: Sequence[str], references: References) -> Segments:
        return make([normalise_transcript(line, normalisation) for line in hypotheses], references)

    return segments


def _without_names(hypotheses: Sequence[str], references: References) -> Segments:
    frames = [[_frames(line) for line in some] for some in references]
    return frame_accuracy_segments([_frames(line) for line in hypotheses], frames)


def _frames(line: str) -> str:
    return line.partition(" ")[2]


def segments(config: ASRConfig) -> Mapping[str, SegmentsOf]:
    """What makes each score from lines of predictions and from references as `references` gives them."""
    return {
        "wer": _normalised(word_error_segments, config.data.normalisation),
        "cer": _normalised(character_error_segments, config.data.normalisation),
        "frame_accuracy": _without_names,
    }
