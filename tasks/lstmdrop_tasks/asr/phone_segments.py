"""Runs of frames with one phone, with their times."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop_tasks.asr.objectives.frames import FrameObjective


def phone_segments(
    objective: FrameObjective, log_probs: LogProbs, num_frames: int, frame_shift: float
) -> list[dict[str, Any]]:
    """Each phone with its start and end in seconds and the mean probability of its frames."""
    by_frame = objective.by_frame(torch.from_numpy(log_probs)[:, None], num_frames)[:, 0]
    best = by_frame.max(-1)
    frames = list(zip(best.indices.tolist(), best.values.exp().tolist(), strict=True))
    segments, start = [], 0
    for phone, run in groupby(frames, key=lambda frame: frame[0]):
        confidences = [confidence for _, confidence in run]
        end = start + len(confidences)
        segments.append(
            {
                "phone": objective.phones[phone],
                "start": round(start * frame_shift, 3),
                "end": round(end * frame_shift, 3),
                "confidence": round(sum(confidences) / len(confidences), 4),
            }
        )
        start = end
    return segments
