"""Sound files as arrays of samples."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.errors import DataError, loading

with loading("sound needs soundfile and libsndfile", "pip install soundfile"):
    import soundfile
with loading("sound needs soxr", "pip install soxr"):
    import soxr

Samples = npt.NDArray[np.float32]


def read_audio(
    source: Path | BinaryIO, rate: int, *, start: float | None = None, end: float | None = None, speed: float = 1.0
) -> Samples:
    """One channel at ``rate`` Hz, between -1 and 1; several channels are averaged.

    WAV, FLAC, Ogg Vorbis, Opus, MP3 and all else that libsndfile reads. ``speed`` above 1 plays it faster and
    higher, by resampling (Ko et al. 2015).

    Raises:
        DataError: it is missing, damaged or empty, or was recorded at less than ``rate`` Hz.
    """
    name = source if isinstance(source, Path) else "standard input"
    if isinstance(source, Path) and not source.is_file():
        raise DataError(f"{source}: no such file")
    try:
        samples, own_rate = _read(source, start, end)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise DataError(f"{name}: not a sound file that can be read ({_reason(error)})") from None
    if len(samples) == 0:
        raise DataError(f"{name}: there is no sound in it")
    if own_rate < rate:
        raise DataError(f"{name}: recorded at {own_rate} Hz, and features.sample_rate is {rate}")
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise DataError(f"{name}: some samples are not finite numbers")
    resampled: Samples = soxr.resample(mono, own_rate * speed, rate).astype(np.float32)
    return resampled


def _read(source: Path | BinaryIO, start: float | None, end: float | None) -> tuple[Samples, int]:
    with soundfile.SoundFile(str(source) if isinstance(source, Path) else source) as file:
        first = round((start or 0.0) * file.samplerate)
        last = -1 if end is None else round(end * file.samplerate) - first
        if first:
            file.seek(first)
        samples: Samples = np.asarray(file.read(last, dtype="float32", always_2d=True), np.float32)
        return samples, file.samplerate


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rpartition(": ")[2].rstrip(".") if str(error) else type(error).__name__
