"""Laws of the feature cache, and of data that is damaged in part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio import store as stores
from lstmdrop_tasks.asr.audio.extraction import Extracted, content_of, extract
from lstmdrop_tasks.asr.audio.features import compute_features
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.audio.store import build_store
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.utterances import Utterance

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


def test_which_utterance_has_which_sound_and_which_alignment_is_in_the_identity(
    write_tone: Write, tmp_path: Path
) -> None:
    one, two = write_tone("1.wav", seed=1), write_tone("2.wav", seed=2)
    first, second = tmp_path / "1.ctm", tmp_path / "2.ctm"
    for path, phone in ((first, "A"), (second, "B")):
        path.write_text("".join(f"{name} 1 0.0 0.3 {phone}\n" for name in "abc"))

    def content(sources: str, alignments: str = "", *, labelled: bool = False) -> str:
        which = {"1": (one, first), "2": (two, second), "-": (one, None)}
        grids = alignments or "-" * len(sources)
        found = [
            Utterance(name, which[source][0], alignment=which[grid][1])
            for name, source, grid in zip("abc", sources, grids, strict=True)
        ]
        return content_of(found, labelled=labelled)

    assert len({content(sources) for sources in ("121", "122", "112", "111", "211", "221", "212", "222")}) == 8
    grids = ("121", "122", "112", "111", "222", "1-1", "11-", "1--", "--1", "---")
    assert len({content("111", own, labelled=True) for own in grids}) == len(grids)
    assert content("111", "121") == content("111", "122")  # which nothing is made from


def test_a_corrected_alignment_is_read_again(write_tone: Write, tmp_path: Path) -> None:
    ctm, sound = tmp_path / "phones.ctm", write_tone("a.wav")
    for phone in ("A", "B"):  # of the same size, within the same second
        ctm.write_text(f"u 1 0.0 0.3 {phone}\n")
        store = build_store([Utterance("u", sound, alignment=ctm)], CONFIG, tmp_path / "cache", labelled=True)
        assert store.phones == [phone]


def test_another_reader_or_library_makes_them_anew_under_one_identity(
    write_tone: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utterances = [Utterance("u", write_tone("a.wav"))]
    before = build_store(utterances, CONFIG, tmp_path / "cache", labelled=False).sha256
    monkeypatch.setattr(stores, "READER", stores.READER + 1)
    assert build_store(utterances, CONFIG, tmp_path / "cache", labelled=False).sha256 == before
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("torn", [b"", b"[[30, 10,"])
@pytest.mark.parametrize("labelled", [False, True])
def test_an_interrupted_extraction_goes_on_where_it_was(
    write_tone: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes, labelled: bool
) -> None:
    monkeypatch.setattr(stores, "AT_ONCE", 2)
    ctm = tmp_path / "phones.ctm"
    ctm.write_text("".join(f"u{n} 1 0.0 0.1 {phone}\n" for n, phone in enumerate("ABACB")))
    utterances = [Utterance(f"u{n}", write_tone(f"{n}.wav", 0.1, seed=n), alignment=ctm) for n in range(5)]
    utterances.insert(1, Utterance("bad", tmp_path / "absent.wav"))
    whole = build_store(utterances, CONFIG, tmp_path / "whole", labelled=labelled)
    asked: list[str] = []

    def interrupted(utterance: Utterance, *args: object, **options: object) -> Extracted:
        asked.append(utterance.id)
        if asked.count("u4") == 1 and utterance.id == "u4":
            raise KeyboardInterrupt
        return extract(utterance, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(stores, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_store(utterances, CONFIG, tmp_path / "cache", labelled=labelled)
    (journal,) = (tmp_path / "cache").glob(".*.unfinished/journal.json")
    journal.write_bytes(journal.read_bytes() + torn)
    again = build_store(utterances, CONFIG, tmp_path / "cache", labelled=labelled)
    assert asked == ["u0", "bad", "u1", "u2", "u3", "u4", "u3", "u4"]
    for name in ("frames", "labels", "offsets"):
        assert np.array_equal(getattr(again, name), getattr(whole, name))
    assert (again.phones, again.problems, again.seconds) == (whole.phones, whole.problems, whole.seconds)
    assert len(list((tmp_path / "cache").iterdir())) == 1
