"""Log-mel filters and MFCC as Kaldi computes them, by kaldi-native-fbank; normalised, and masked in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.data.array_file import read_array
from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError, loading
from lstmdrop.parsing import read_json_document, to_json
from lstmdrop_tasks.asr.audio.reading import Samples
from lstmdrop_tasks.asr.config import AugmentationConfig, FeatureConfig

with loading("speech features need kaldi-native-fbank", "pip install kaldi-native-fbank"):
    import kaldi_native_fbank

Features = npt.NDArray[np.float32]

FULL_SCALE = 32768.0
"""Kaldi takes samples as 16-bit integers."""


class FeatureStream:
    """Features of sound that comes piece by piece; the pieces change nothing.

    Frame t is centred on the middle of its shift, the sound mirrored at both ends, so that there is one frame for
    every shift of sound. What has been given is not kept.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._rate = config.sample_rate
        self._computer = _computer(config)
        self._dim: int = self._computer.dim
        self._taken = 0

    def accept(self, samples: Samples) -> Features:
        """The frames that these samples complete, ``(frames, features)``."""
        self._computer.accept_waveform(self._rate, samples * FULL_SCALE)
        return self._ready()

    def finish(self) -> Features:
        """The last frames."""
        self._computer.input_finished()
        return self._ready()

    def _ready(self) -> Features:
        end = self._computer.num_frames_ready
        if end == self._taken:
            return np.zeros((0, self._dim), np.float32)
        frames = np.stack([self._computer.get_frame(number) for number in range(self._taken, end)])  # copies
        self._computer.pop(end - self._taken)
        self._taken = end
        return frames


def compute_features(samples: Samples, config: FeatureConfig) -> Features:
    """``(frames, features)`` of a whole recording, deltas included."""
    stream = FeatureStream(config)
    return with_deltas(np.concatenate([stream.accept(samples), stream.finish()]), config.deltas)


def read_features(path: Path, config: FeatureConfig) -> Features:
    """Precomputed features, given their deltas.

    Raises:
        DataError: the file is missing, empty or no ``(frames, features)`` array of finite numbers.
    """
    array = read_array(path)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(
            f"{path}: features are an array (frames, features) of floats, not {array.dtype} of shape {array.shape}"
        )
    return with_deltas(array.astype(np.float32), config.deltas)


def with_deltas(features: Features, orders: int) -> Features:
    """Time derivatives beside the features, as HTK and Kaldi take them: a line fitted to five frames."""
    parts: list[Features] = [features]
    for _ in range(orders):
        padded = np.pad(parts[-1], ((2, 2), (0, 0)), mode="edge")
        slope = (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 10
        parts.append(slope.astype(np.float32))
    return np.concatenate(parts, axis=1)


def _computer(config: FeatureConfig) -> Any:
    options: Any = kaldi_native_fbank.FbankOptions() if config.kind == "fbank" else kaldi_native_fbank.MfccOptions()
    frame = options.frame_opts
    frame.samp_freq, frame.dither, frame.snip_edges = config.sample_rate, 0.0, False
    frame.frame_shift_ms, frame.frame_length_ms = config.frame_shift, config.frame_length
    options.mel_opts.num_bins = config.num_filters
    if config.kind == "fbank":
        return kaldi_native_fbank.OnlineFbank(options)
    options.num_ceps = config.num_coefficients
    return kaldi_native_fbank.OnlineMfcc(options)


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
        text = to_json({"mean": self.mean.tolist(), "deviation": self.deviation.tolist()})
        with atomic_file(path) as handle:
            handle.write(text.encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Normalisation:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            values = read_json_document(path)
            mean, deviation = (np.array(values[name], np.float32) for name in ("mean", "deviation"))
            if mean.ndim != 1 or mean.shape != deviation.shape:
                raise ValueError(f"shapes {mean.shape} and {deviation.shape}")
            return cls(mean, deviation)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: the feature statistics cannot be read ({error})") from None


class Blanks(NamedTuple):
    """Where an utterance is blanked out: from a frame, or a bin, to before another."""

    frames: Sequence[tuple[int, int]]
    bins: Sequence[tuple[int, int]]


def draw_blanks(num_frames: int, num_bins: int, config: AugmentationConfig, rng: np.random.Generator) -> Blanks:
    """Masks of random place and size."""
    longest, widest = min(config.time_mask_frames, num_frames // 4), min(config.frequency_mask_bins, num_bins)
    frames = [_span(num_frames, longest, rng) for _ in range(config.time_masks)]
    return Blanks(frames, [_span(num_bins, widest, rng) for _ in range(config.frequency_masks)])


def blanked(features: Features, blanks: Blanks) -> Features:
    """A copy; masked values are 0, the mean of normalised features."""
    masked = features.copy()
    for start, end in blanks.frames:
        masked[start:end] = 0.0
    for start, end in blanks.bins:
        masked[:, start:end] = 0.0
    return masked


def _span(size: int, longest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(0, longest + 1))
    start = int(rng.integers(0, size - width + 1))
    return start, start + width
