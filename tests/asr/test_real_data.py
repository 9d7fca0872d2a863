"""The real recordings, where this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop_tasks.asr.audio.extraction import extract
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance


def corpus(shared_data: Path, name: str) -> SpeechCorpus:
    if not (shared_data / name).is_dir():
        pytest.skip(f"{name} is not among the real data here")
    return find_corpus(name, shared_data)


def everything(found: SpeechCorpus) -> list[Utterance]:
    return [utterance for split in found.splits.values() for utterance in split]


def test_ljspeech_leaves_out_the_clip_whose_alignment_is_of_another_length(shared_data: Path) -> None:
    clips = {clip.id: clip for clip in everything(corpus(shared_data, "ljspeech"))}
    assert len(clips) == 385
    config = FeatureConfig()
    assert "the alignment is 7.45 s long" in extract(clips["LJ001-0042"], config, labelled=True, speed=1.0).mismatch
    found = extract(clips["LJ001-0002"], config, labelled=True, speed=1.0)
    assert (found.mismatch, found.features.shape, len(found.labels)) == ("", (190, 40), 190)
    assert found.labels[:14] == ["IH"] * 8 + ["N"] * 6


def test_an4_holds_speakers_out_of_its_training_part(shared_data: Path) -> None:
    found = corpus(shared_data, "an4")
    assert len(found.splits["train"]) + len(found.splits["valid"]) == 948
    assert len(found.splits["test"]) == 130
    assert {u.speaker for u in found.splits["train"]}.isdisjoint({u.speaker for u in found.splits["valid"]})
    features = extract(found.splits["test"][0], FeatureConfig(deltas=2), labelled=False, speed=1.0).features
    assert features.shape[1] == 39


def test_speechocean762_is_a_kaldi_folder_of_opus_files(shared_data: Path) -> None:
    found = corpus(shared_data, "speechocean762")
    assert len(found.splits["train"]) + len(found.splits["valid"]) == 2500
    assert len(found.splits["test"]) == 2500
    extracted = extract(found.splits["test"][0], FeatureConfig(), labelled=False, speed=1.0)
    assert extracted.problem == ""
    assert extracted.seconds > 0.5
