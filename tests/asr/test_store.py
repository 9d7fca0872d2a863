"""Laws of the feature cache, and of data that is damaged in part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import compute_features
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.audio.store import build_store
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.utterance import Utterance

Write = Callable[..., Path]
CONFIG = FeatureConfig(num_filters=10)


def test_a_store_holds_what_the_files_say(write_tone: Write, tmp_path: Path) -> None:
    utterances = [Utterance(f"u{n}", write_tone(f"{n}.wav", 0.1 + 0.1 * n, seed=n)) for n in range(3)]
    store = build_store(utterances, CONFIG, tmp_path / "cache", labelled=False)
    assert store.lengths.tolist() == [10, 20, 30]
    assert store.seconds == pytest.approx(0.6)
    for number, utterance in enumerate(utterances):
        expected = compute_features(read_audio(utterance.source, 16000), CONFIG)
        assert np.array_equal(store.features(number), expected)


def test_features_are_made_anew_when_content_or_settings_change_and_only_then(
    write_tone: Write, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"

    def entries() -> int:
        build_store([Utterance("u", path)], CONFIG, cache, labelled=False)
        return len(list(cache.iterdir()))

    path = write_tone("a.wav")
    assert (entries(), entries()) == (1, 1)
    os.utime(path, (1, 1))
    assert entries() == 1  # another time, the same content
    write_tone("a.wav", seed=5)
    assert entries() == 2
    build_store([Utterance("u", path)], FeatureConfig(num_filters=11), cache, labelled=False)
    build_store([Utterance("u", path)], CONFIG, cache, labelled=False, speed=1.1)
    build_store([Utterance("u", path, text="other words")], CONFIG, cache, labelled=False)
    assert len(list(cache.iterdir())) == 4
    same = FeatureConfig(num_filters=10, normalisation="speaker")
    build_store([Utterance("u", path)], same, cache, labelled=False)
    assert len(list(cache.iterdir())) == 4


def test_a_damaged_file_takes_its_own_place_alone(write_tone: Write, tmp_path: Path) -> None:
    utterances = [Utterance("bad", tmp_path / "absent.wav"), Utterance("good", write_tone("a.wav"))]
    store = build_store(utterances, CONFIG, tmp_path / "cache", labelled=False)
    assert store.lengths.tolist() == [0, 30]
    assert store.problems == {"bad": f"{tmp_path / 'absent.wav'}: no such file"}
    assert store.mismatches == {}


def test_labels_that_do_not_fit_are_told_from_damaged_sound(write_tone: Write, tmp_path: Path) -> None:
    ctm = tmp_path / "phones.ctm"
    ctm.write_text("good 1 0.0 0.3 A\nlong 1 0.0 0.9 A\n")
    sound = write_tone("a.wav")
    utterances = [Utterance(name, sound, alignment=ctm) for name in ("good", "long")]
    store = build_store(utterances, CONFIG, tmp_path / "cache", labelled=True)
    assert store.lengths.tolist() == [30, 0]
    assert store.mismatches.keys() == {"long"}
    assert store.phones_of(0).tolist() == [0] * 30


def test_faster_speech_has_fewer_frames_and_its_labels_follow(write_tone: Write, tmp_path: Path) -> None:
    ctm = tmp_path / "phones.ctm"
    ctm.write_text("u 1 0.0 0.15 A\nu 1 0.15 0.15 B\n")
    utterance = Utterance("u", write_tone("a.wav"), alignment=ctm)
    fast = build_store([utterance], CONFIG, tmp_path / "cache", labelled=True, speed=1.5)
    assert fast.lengths.tolist() == [20]
    assert fast.phones_of(0).tolist() == [0] * 10 + [1] * 10


def test_nothing_usable_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 1 utterances can be used; the first, u: .*absent.wav: no such file"):
        build_store([Utterance("u", tmp_path / "absent.wav")], CONFIG, tmp_path / "cache", labelled=False)


def test_a_damaged_entry_says_what_to_do(write_tone: Write, tmp_path: Path) -> None:
    utterances = [Utterance("u", write_tone("a.wav"))]
    build_store(utterances, CONFIG, tmp_path / "cache", labelled=False)
    (entry,) = (tmp_path / "cache").iterdir()
    (entry / "features.bin").write_bytes(b"\0" * 400)
    with pytest.raises(DataError, match="cached features are damaged"):
        build_store(utterances, CONFIG, tmp_path / "cache", labelled=False)
