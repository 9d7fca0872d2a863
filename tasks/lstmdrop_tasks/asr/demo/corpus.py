"""The demo's recordings: written once into the cache, then read like any other corpus."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import loading
from lstmdrop_tasks.asr.corpora.alignment import Interval
from lstmdrop_tasks.asr.corpora.jsonl import manifests
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus
from lstmdrop_tasks.asr.demo.phones import PRONUNCIATIONS
from lstmdrop_tasks.asr.demo.synthesis import RATE, Voice, speak

with loading("sound needs soundfile and libsndfile", "pip install soundfile"):
    import soundfile

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
            soundfile.write(folder / f"{name}.flac", samples.clip(-1, 1), RATE, subtype="PCM_16")
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
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
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
