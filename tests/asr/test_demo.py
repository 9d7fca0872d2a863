"""Laws of the synthesised speech."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lstmdrop_tasks.asr.corpora.alignment import frame_labels, read_alignment
from lstmdrop_tasks.asr.corpora.demo import (
    NUM_VOICES,
    PHONES,
    PRONUNCIATIONS,
    RATE,
    UTTERANCES_A_VOICE,
    Voice,
    demo,
    speak,
    write_split,
)
from lstmdrop_tasks.asr.corpora.own import read_manifest

VOICE = Voice(pitch=120, tract=1.0, tempo=1.0, breath=0.3)


def test_the_same_seed_says_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_split(tmp_path / name, "train", 1, 2, seed=3)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_sound_and_alignment_are_equally_long(tmp_path: Path) -> None:
    write_split(tmp_path, "train", 2, 3, seed=0)
    for utterance in read_manifest(tmp_path / "train.jsonl"):
        info = soundfile.info(utterance.source)
        alignment = read_alignment(utterance)
        assert info.samplerate == RATE
        assert alignment.intervals[-1].end == pytest.approx(info.duration, abs=0.001)
        labels = frame_labels(alignment, round(info.duration * 100), info.duration, 0.01)
        assert set(labels) <= set(PHONES)
        words = str(utterance.text).split()
        said = [interval.label for interval in alignment.intervals if interval.label != "sil"]
        assert said == " ".join(PRONUNCIATIONS[word] for word in words).split()


@pytest.mark.parametrize("vowel", ["IY", "AA", "UW", "EH"])
def test_a_vowel_resonates_at_its_first_formants(vowel: str) -> None:
    sound, _ = speak([vowel] * 5, VOICE, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE)

    def near(centre: float) -> float:
        return float(power[np.abs(frequencies - centre) < 130].mean())

    first, second, _ = PHONES[vowel].formants
    valley = (first + second) / 2
    assert near(first) > near(valley) or second - first < 600
    assert near(second) > near(second + 700) or vowel == "IY"


def test_hissing_sounds_are_high_and_voiced_ones_low() -> None:
    for phone, is_high in (("S", True), ("AA", False), ("N", False)):
        sound, _ = speak([phone] * 5, VOICE, np.random.default_rng(0))
        power = np.abs(np.fft.rfft(sound)) ** 2
        share = power[len(power) // 2 :].sum() / power.sum()
        assert (share > 0.5) == is_high


def test_no_voice_is_in_two_splits_and_every_digit_is_in_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path))
    small = {"train": 4, "valid": 2, "test": 2}
    monkeypatch.setattr("lstmdrop_tasks.asr.corpora.demo.NUM_VOICES", small)
    monkeypatch.setattr("lstmdrop_tasks.asr.corpora.demo.UTTERANCES_A_VOICE", 10)
    corpus = demo()
    speakers = [{utterance.speaker for utterance in own} for own in corpus.splits.values()]
    assert len(set().union(*speakers)) == sum(map(len, speakers)) == 8
    assert sum(NUM_VOICES.values()) * UTTERANCES_A_VOICE == 600
    for own in corpus.splits.values():
        assert {word for utterance in own for word in str(utterance.text).split()} == set(PRONUNCIATIONS)
    manifest = next(tmp_path.rglob("train.jsonl"))
    assert set(json.loads(manifest.read_text().splitlines()[0])) == {"id", "speaker", "audio", "text", "alignment"}
