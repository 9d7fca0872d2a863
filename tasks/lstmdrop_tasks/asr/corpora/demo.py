"""The demo: a language of a few phones, its sounds, and its recordings, written once into the cache."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.parsing import to_json
from lstmdrop_tasks.asr.corpora.alignment import Interval
from lstmdrop_tasks.asr.corpora.own import manifests
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus


class Phone(NamedTuple):
    """A sound as a formant synthesiser sees it (Klatt 1980; vowel formants after Peterson & Barney 1952)."""

    formants: tuple[float, float, float]
    """In Hz, of an average man; voiced sounds only move through them."""
    voice: float
    """How loud the vocal folds are, 0 to 1."""
    noise: float
    """How loud the hiss is, 0 to 1."""
    noise_centre: float
    """In Hz."""
    seconds: float


def _vowel(first: float, second: float, third: float, seconds: float = 0.11) -> Phone:
    return Phone((first, second, third), 1.0, 0.0, 3000.0, seconds)


PHONES = {
    "IY": _vowel(270, 2290, 3010),
    "IH": _vowel(390, 1990, 2550, 0.08),
    "EH": _vowel(530, 1840, 2480),
    "AH": _vowel(640, 1190, 2390, 0.08),
    "AO": _vowel(570, 840, 2410),
    "UW": _vowel(300, 870, 2240),
    "AA": _vowel(730, 1090, 2440),
    "ER": _vowel(490, 1350, 1690),
    "OW": _vowel(450, 900, 2300, 0.14),
    "W": Phone((290, 610, 2150), 0.6, 0.0, 3000.0, 0.06),
    "R": Phone((310, 1060, 1380), 0.6, 0.0, 3000.0, 0.07),
    "N": Phone((250, 1450, 2300), 0.4, 0.0, 3000.0, 0.07),
    "V": Phone((250, 1100, 2300), 0.3, 0.15, 4000.0, 0.06),
    "Z": Phone((250, 1400, 2500), 0.25, 0.4, 5500.0, 0.08),
    "F": Phone((400, 1100, 2300), 0.0, 0.25, 3500.0, 0.09),
    "S": Phone((400, 1400, 2500), 0.0, 0.6, 5800.0, 0.1),
    "TH": Phone((400, 1300, 2500), 0.0, 0.2, 6800.0, 0.08),
    "T": Phone((400, 1700, 2600), 0.0, 0.5, 4500.0, 0.035),
    "K": Phone((400, 1800, 2400), 0.0, 0.5, 2200.0, 0.045),
    "sil": Phone((500, 1500, 2500), 0.0, 0.0, 3000.0, 0.08),
}

PRONUNCIATIONS = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AA IH V",
    "six": "S IH K S",
    "seven": "S EH V AH N",
    "eight": "EH IH T",
    "nine": "N AA IH N",
}
"""Diphthongs are two vowels."""


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


VERSION = 1
"""To be raised when the recordings change."""

NUM_VOICES = {"train": 16, "valid": 4, "test": 4}
UTTERANCES_A_VOICE = 25
NUM_DIGITS = (1, 6)
"""Fewest and most digits of an utterance."""


def demo() -> SpeechCorpus:
    """Digit strings; no voice is in two splits."""
    folder = cache_dir() / "demo" / f"digits-{VERSION}"
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            for number, (split, num_voices) in enumerate(NUM_VOICES.items()):
                write_split(unfinished, split, num_voices, UTTERANCES_A_VOICE, seed=number)
    corpus = manifests(folder)
    return SpeechCorpus("demo", corpus.splits)


def write_split(folder: Path, split: str, num_voices: int, num_utterances: int, seed: int) -> None:
    """Write a manifest, its sound files and its alignments: so many utterances of each of so many voices."""
    rng = np.random.default_rng(seed)
    entries, ctm = [], []
    for speaker in range(num_voices):
        voice = _draw_voice(rng, speaker)
        for number in range(num_utterances):
            name = f"{split}-{speaker:02}-{number:02}"
            words = rng.choice(list(PRONUNCIATIONS), rng.integers(NUM_DIGITS[0], NUM_DIGITS[1] + 1)).tolist()
            samples, intervals = speak(_phones(words, rng), voice, rng)
            sound = io.BytesIO()  # a file on a full disk would be an error of the library's, which names neither
            soundfile.write(sound, samples.clip(-1, 1), RATE, format="FLAC", subtype="PCM_16")
            (folder / f"{name}.flac").write_bytes(sound.getvalue())
            ctm += [_ctm_line(name, interval) for interval in intervals]
            entries.append(
                {
                    "id": name,
                    "speaker": f"{split}-{speaker:02}",
                    "audio": f"{name}.flac",
                    "text": " ".join(words),
                    "alignment": f"{split}.ctm",
                }
            )
    (folder / f"{split}.ctm").write_text("".join(ctm), encoding="utf-8")
    lines = "".join(to_json(entry) + "\n" for entry in entries)
    (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")


def _draw_voice(rng: np.random.Generator, speaker: int) -> Voice:
    is_high = speaker % 2 == 1
    pitch = rng.uniform(170, 240) if is_high else rng.uniform(90, 145)
    tract = rng.uniform(1.08, 1.2) if is_high else rng.uniform(0.95, 1.07)
    return Voice(pitch=pitch, tract=tract, tempo=rng.uniform(0.85, 1.2), breath=rng.uniform(0.2, 1.0))


def _phones(words: list[str], rng: np.random.Generator) -> list[str]:
    phones = ["sil"]
    for word in words:
        phones += PRONUNCIATIONS[word].split()
        if rng.random() < 0.5:
            phones.append("sil")
    return phones if phones[-1] == "sil" else [*phones, "sil"]


def _ctm_line(name: str, interval: Interval) -> str:
    return f"{name} 1 {interval.start:.4f} {interval.end - interval.start:.4f} {interval.label}\n"
