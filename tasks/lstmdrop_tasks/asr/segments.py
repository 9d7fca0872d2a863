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
from lstmdrop.metrics.word_error_rate import normalise_transcript


def _normalised(make: SegmentsOf) -> SegmentsOf:
    def segments(hypotheses: Sequence[str], references: References) -> Segments:
        spoken = [[normalise_transcript(line) for line in some] for some in references]
        return make([normalise_transcript(line) for line in hypotheses], spoken)

    return segments


def _without_names(hypotheses: Sequence[str], references: References) -> Segments:
    frames = [[_frames(line) for line in some] for some in references]
    return frame_accuracy_segments([_frames(line) for line in hypotheses], frames)


def _frames(line: str) -> str:
    return line.partition(" ")[2]


SEGMENTS: Mapping[str, SegmentsOf] = {
    "wer": _normalised(word_error_segments),
    "cer": _normalised(character_error_segments),
    "frame_accuracy": _without_names,
}
