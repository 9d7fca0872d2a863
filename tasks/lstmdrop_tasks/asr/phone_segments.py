"""Runs of frames with one phone, with their times."""

from __future__ import annotations

from typing import Any

import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop_tasks.asr.objectives.frames import FrameObjective


class PhoneSegments:
    """Takes the outputs of a recording piece by piece."""

    def __init__(self, objective: FrameObjective, frame_shift: float) -> None:
        self._objective = objective
        self._frame_shift = frame_shift
        self._segments: list[dict[str, Any]] = []
        self._phone = -1
        self._start = self._end = 0
        self._total = 0.0

    def add(self, log_probs: LogProbs, num_frames: int) -> list[dict[str, Any]]:
        """Each phone so far, with its start and end in seconds and the mean probability of its frames."""
        by_frame = self._objective.by_frame(torch.from_numpy(log_probs)[:, None], num_frames)[:, 0]
        best = by_frame.max(-1)
        for phone, confidence in zip(best.indices.tolist(), best.values.exp().tolist(), strict=True):
            if phone != self._phone:
                self._segments += self._open()
                self._phone, self._start, self._total = phone, self._end, 0.0
            self._end += 1
            self._total += confidence
        return [*self._segments, *self._open()]

    def _open(self) -> list[dict[str, Any]]:
        if self._end == self._start:
            return []
        return [
            {
                "phone": self._objective.phones[self._phone],
                "start": round(self._start * self._frame_shift, 3),
                "end": round(self._end * self._frame_shift, 3),
                "confidence": round(self._total / (self._end - self._start), 4),
            }
        ]
