"""Log-mel filters and MFCC as Kaldi computes them, by kaldi-native-fbank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmdrop.data.array_file import read_array
from lstmdrop.errors import DataError, loading
from lstmdrop_tasks.asr.audio.reading import Samples
from lstmdrop_tasks.asr.config import FeatureConfig

with loading("speech features need kaldi-native-fbank", "pip install kaldi-native-fbank"):
    import kaldi_native_fbank

Features = npt.NDArray[np.float32]

FULL_SCALE = 32768.0
"""Kaldi takes samples as 16-bit integers."""


class FeatureStream:
    """Features of sound that comes piece by piece; the pieces change nothing.

    Frame t is centred on the middle of its shift, the sound mirrored at both ends, so that there is one frame for
    every shift of sound.
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
        frames = [self._computer.get_frame(number) for number in range(self._taken, end)]
        self._taken = end
        return np.stack(frames) if frames else np.zeros((0, self._dim), np.float32)


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
