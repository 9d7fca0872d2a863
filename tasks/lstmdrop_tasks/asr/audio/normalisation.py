"""Mean and variance of the features, over all training data or over a speaker's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import Features

Vector = npt.NDArray[np.float32]
SMALLEST = 1e-5
"""Standard deviation of a feature that never changes."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What is taken off each feature, and what it is then divided by."""

    mean: Vector
    deviation: Vector

    @classmethod
    def of(cls, *parts: Features) -> Normalisation:
        """The statistics of some recordings, in float64."""
        count = sum(len(part) for part in parts)
        total = sum(part.sum(0, dtype=np.float64) for part in parts)
        mean = np.asarray(total / count)
        squares = sum(np.square(part - mean).sum(0) for part in parts)
        deviation = np.sqrt(np.asarray(squares / count))
        return cls(mean.astype(np.float32), np.maximum(deviation, SMALLEST).astype(np.float32))

    @classmethod
    def identity(cls, size: int) -> Normalisation:
        """Leaves features as they are."""
        return cls(np.zeros(size, np.float32), np.ones(size, np.float32))

    def __call__(self, features: Features) -> Features:
        """The features with mean 0 and variance 1, as far as these statistics are theirs."""
        normalised: Features = (features - self.mean) / self.deviation
        return normalised

    def save(self, path: Path) -> None:
        """Write what `load` reads."""
        text = json.dumps({"mean": self.mean.tolist(), "deviation": self.deviation.tolist()})
        with atomic_file(path) as handle:
            handle.write(text.encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Normalisation:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            values = json.loads(path.read_bytes())
            mean, deviation = (np.array(values[name], np.float32) for name in ("mean", "deviation"))
            if mean.ndim != 1 or mean.shape != deviation.shape:
                raise ValueError(f"shapes {mean.shape} and {deviation.shape}")
            return cls(mean, deviation)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: the feature statistics cannot be read ({error})") from None
