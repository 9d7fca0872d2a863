"""Which recordings a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lstmdrop.data.registry import expanded, locate
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.asr.corpora.common_voice import common_voice
from lstmdrop_tasks.asr.corpora.datasets import AN4, DATASETS, DEMO, LIBRISPEECH, LJSPEECH, SPEECHOCEAN762
from lstmdrop_tasks.asr.corpora.jsonl import manifests, one_manifest
from lstmdrop_tasks.asr.corpora.kaldi import WAV_SCP, kaldi
from lstmdrop_tasks.asr.corpora.librispeech import librispeech
from lstmdrop_tasks.asr.corpora.ljspeech import METADATA, ljspeech
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus
from lstmdrop_tasks.asr.demo.corpus import demo

PUBLISHED: Mapping[str, Callable[[Path], SpeechCorpus]] = {
    LJSPEECH.name: ljspeech,
    AN4.name: manifests,
    SPEECHOCEAN762.name: kaldi,
    LIBRISPEECH.name: librispeech,
}

LAYOUTS: tuple[tuple[str, str, Callable[[Path], SpeechCorpus]], ...] = (
    ("JSONL manifests", "train.jsonl", manifests),
    ("LJSpeech", METADATA, ljspeech),
    ("Kaldi", WAV_SCP, kaldi),
    ("Kaldi", f"train/{WAV_SCP}", kaldi),
    ("Common Voice", "train.tsv", common_voice),
    ("LibriSpeech", "train-*/*/*/*.trans.txt", librispeech),
    ("LibriSpeech", "LibriSpeech/train-*/*/*/*.trans.txt", librispeech),
)
"""Layouts, a file that tells each, and what reads it."""


def find_corpus(data: str, data_dir: Path | None = None) -> SpeechCorpus:
    """The corpus of a known name, or of a path.

    Raises:
        DataError: nothing has this name, or the data is missing or damaged.
    """
    if data == DEMO.name:
        return demo()
    if data in PUBLISHED:
        return PUBLISHED[data](locate(data, data_dir))
    path = expanded(data)
    if path.is_file():
        return one_manifest(path)
    if not path.is_dir():
        names = [dataset.name for dataset in DATASETS]
        raise DataError(
            f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
            f"datasets: {', '.join(names)}; or give a JSONL manifest, or a folder in one of the known layouts"
        )
    for _, mark, layout in LAYOUTS:
        if any(path.glob(mark)):
            return layout(path)
    marks = ", ".join(f"{mark} ({name})" for name, mark, _ in LAYOUTS)
    raise DataError(f"{path}: no known layout is in this folder; it needs one of {marks}")
