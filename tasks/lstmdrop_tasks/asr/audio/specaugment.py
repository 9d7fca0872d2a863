"""SpecAugment: spans of time and bands of features blanked out (Park et al. 2019), without time warping."""

from __future__ import annotations

import numpy as np

from lstmdrop_tasks.asr.audio.features import Features
from lstmdrop_tasks.asr.config import AugmentationConfig


def blank_out(features: Features, config: AugmentationConfig, rng: np.random.Generator) -> Features:
    """A copy with masks of random place and size; masked values are 0, the mean of normalised features."""
    masked = features.copy()
    num_frames, num_bins = masked.shape
    for _ in range(config.time_masks):
        start, end = _span(num_frames, min(config.time_mask_frames, num_frames // 4), rng)
        masked[start:end] = 0.0
    for _ in range(config.frequency_masks):
        start, end = _span(num_bins, min(config.frequency_mask_bins, num_bins), rng)
        masked[:, start:end] = 0.0
    return masked


def _span(size: int, longest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(0, longest + 1))
    start = int(rng.integers(0, size - width + 1))
    return start, start + width
