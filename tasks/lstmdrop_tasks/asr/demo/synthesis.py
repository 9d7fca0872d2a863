"""A formant synthesiser: a buzz and a hiss, shaped by resonances that move from sound to sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmdrop_tasks.asr.corpora.alignment import Interval
from lstmdrop_tasks.asr.demo.phones import PHONES

Array = npt.NDArray[np.float64]

RATE = 16000
BANDWIDTHS = np.array([80.0, 110.0, 160.0])
GAINS = np.array([1.0, 0.6, 0.35])
NOISE_BANDWIDTH = 1200.0
CONTROL = 80
"""Samples between two settings of the synthesiser: 5 ms."""
GLIDE = 6
"""Settings over which neighbouring sounds run into each other: 30 ms."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What makes one speaker differ from another."""

    pitch: float
    """In Hz."""
    tract: float
    """Formants are so many times an average man's."""
    tempo: float
    """Sounds take so many times their usual length."""
    breath: float
    """Noise under everything, 0 to 1."""


def speak(phones: Sequence[str], voice: Voice, rng: np.random.Generator) -> tuple[Array, list[Interval]]:
    """Samples between -1 and 1 at `RATE`, and where each phone is."""
    lengths = [_num_settings(phone, voice, rng) for phone in phones]
    ends = np.cumsum(lengths) * CONTROL / RATE
    starts = [0.0, *ends[:-1]]
    intervals = [Interval(float(s), float(e), p) for s, e, p in zip(starts, ends, phones, strict=True)]
    tracks = _tracks(phones, lengths)
    return _render(tracks, voice, rng), intervals


def _num_settings(phone: str, voice: Voice, rng: np.random.Generator) -> int:
    seconds = PHONES[phone].seconds * voice.tempo * rng.uniform(0.8, 1.25)
    return max(4, round(seconds * RATE / CONTROL))


def _tracks(phones: Sequence[str], lengths: Sequence[int]) -> Array:
    """Formants, voice, noise and noise centre for every 5 ms, ``(settings, 6)``, smoothed where sounds meet."""
    rows = [[*PHONES[p].formants, PHONES[p].voice, PHONES[p].noise, PHONES[p].noise_centre] for p in phones]
    steps = np.repeat(np.array(rows), lengths, axis=0)
    window = np.hanning(GLIDE + 2)[1:-1]
    padded = np.pad(steps, ((GLIDE // 2, GLIDE - GLIDE // 2 - 1), (0, 0)), mode="edge")
    smooth = [np.convolve(column, window / window.sum(), mode="valid") for column in padded.T]
    return np.stack(smooth, axis=1)


def _render(tracks: Array, voice: Voice, rng: np.random.Generator) -> Array:
    """Sums of harmonics, each as loud as the resonances let it through; noise is summed from random-phase tones."""
    num_samples = len(tracks) * CONTROL
    positions = np.arange(num_samples) / CONTROL
    settings = np.arange(len(tracks)) + 0.5
    pitch = voice.pitch * (1.08 - 0.16 * settings / len(tracks)) * (1 + 0.02 * np.sin(settings / 9))
    phase = 2 * np.pi * np.cumsum(np.interp(positions, settings, pitch)) / RATE
    harmonics = np.arange(1, int(5000 / voice.pitch))
    loudness = _resonance(harmonics[None] * pitch[:, None], tracks[:, :3] * voice.tract)
    loudness *= tracks[:, 3:4] / np.sqrt(harmonics)
    sound = np.zeros(num_samples)
    for number, amplitude in zip(harmonics, loudness.T, strict=True):
        sound += np.interp(positions, settings, amplitude) * np.sin(number * phase)
    return _levelled(sound, rng) + _noise(tracks, voice, rng, num_samples)


def _resonance(frequencies: Array, formants: Array) -> Array:
    distances = (frequencies[..., None] - formants[:, None]) / BANDWIDTHS
    gains: Array = (GAINS / np.sqrt(1 + np.square(distances))).sum(-1)
    return gains


def _noise(tracks: Array, voice: Voice, rng: np.random.Generator, num_samples: int) -> Array:
    """White noise, coloured 10 ms at a time in the frequency domain."""
    size = 4 * CONTROL
    hop = size // 2
    num_windows = num_samples // hop + 2
    white = rng.standard_normal((num_windows, size)) * np.sqrt(np.hanning(size))
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    at = np.minimum(np.arange(num_windows) * hop // CONTROL, len(tracks) - 1)
    centre = tracks[at, 5:6] * np.sqrt(voice.tract)
    shape = tracks[at, 4:5] * np.exp(-0.5 * np.square((frequencies - centre) / NOISE_BANDWIDTH)) + 0.03 * voice.breath
    coloured = np.fft.irfft(np.fft.rfft(white) * shape, size) * np.sqrt(np.hanning(size))
    sound = np.zeros((num_windows + 1) * hop)
    for number, window in enumerate(coloured):
        sound[number * hop : number * hop + size] += window
    return 0.2 * sound[hop : hop + num_samples]


def _levelled(sound: Array, rng: np.random.Generator) -> Array:
    peak = np.abs(sound).max()
    return sound * (rng.uniform(0.3, 0.6) / peak) if peak > 0 else sound
