"""Padded utterances side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop_tasks.asr.audio.features import Features

PADDING = -100
"""No target."""


class SpeechBatch(NamedTuple):
    """Utterances, one a column; behind its end an utterance is silence: zeros."""

    features: Float[Tensor, "time batch features"]
    lengths: Int[Tensor, " batch"]
    """Frames of each, on the CPU."""
    targets: Int[Tensor, "targets batch"]
    """Phones of the frames, or tokens of the transcript; `PADDING` behind the end."""
    target_lengths: Int[Tensor, " batch"]
    """On the CPU."""
    numbers: Int[Tensor, " batch"]
    """Which utterances of the split these are, on the CPU."""


def pad_utterances(
    numbers: Sequence[int],
    features: Sequence[Features],
    targets: Sequence[npt.NDArray[np.int64]],
    device: torch.device,
) -> SpeechBatch:
    """A batch of these utterances."""
    frames, lengths = _columns(features, 0.0, np.float32)
    target, target_lengths = _columns(targets, PADDING, np.int64)
    return SpeechBatch(frames.to(device), lengths, target.to(device), target_lengths, torch.tensor(numbers))


def _columns(rows: Sequence[npt.NDArray[np.generic]], padding: float, dtype: type) -> tuple[Tensor, Tensor]:
    lengths = [len(row) for row in rows]
    columns = np.full((max(lengths), len(rows), *rows[0].shape[1:]), padding, dtype)
    for number, row in enumerate(rows):
        columns[: len(row), number] = row
    return torch.from_numpy(columns), torch.tensor(lengths)
