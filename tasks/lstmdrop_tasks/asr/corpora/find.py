"""Which recordings a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import contents, expanded, locate
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.asr.config import ASRDataConfig
from lstmdrop_tasks.asr.corpora.datasets import AN4, DATASETS, DEMO, LIBRISPEECH, LJSPEECH, SPEECHOCEAN762
from lstmdrop_tasks.asr.corpora.demo import demo
from lstmdrop_tasks.asr.corpora.kaldi import WAV_SCP, kaldi
from lstmdrop_tasks.asr.corpora.own import IN_FOLDERS, manifests, one_manifest
from lstmdrop_tasks.asr.corpora.own import METADATA as JSON_METADATA
from lstmdrop_tasks.asr.corpora.published import (
    FILES,
    METADATA,
    TIMIT_PARTS,
    TIMIT_PHONES,
    TIMIT_ROOTS,
    common_voice,
    librispeech,
    ljspeech,
    timit,
)
from lstmdrop_tasks.asr.corpora.utterances import SPLIT_NAMES, Selection, SpeechCorpus, oddities

Reader = Callable[[Path, Selection], SpeechCorpus]
"""Reads a folder or file; splits that are only to be scored need no other beside them."""

AS_IT_IS = ASRDataConfig()

PUBLISHED: Mapping[str, Reader] = {
    LJSPEECH.name: ljspeech,
    AN4.name: manifests,
    SPEECHOCEAN762.name: kaldi,
    LIBRISPEECH.name: librispeech,
}

PARTS = [f"{name}{rest}" for names in SPLIT_NAMES.values() for name in names for rest in ("", "[-_.]*")]
"""What the parts of a corpus are called: those of training first."""

LAYOUTS: tuple[tuple[str, Sequence[str], Reader], ...] = (
    ("JSONL manifests", [*(f"{part}{suffix}" for suffix in IN_FOLDERS for part in PARTS), JSON_METADATA], manifests),
    ("LJSpeech", [METADATA], ljspeech),
    ("Kaldi", [WAV_SCP, *(f"{part}/{WAV_SCP}" for part in PARTS)], kaldi),
    ("Common Voice", list(FILES.values()), common_voice),
    ("LibriSpeech", [*(f"{root}{part}-*/*/*/*.trans.txt" for part in ("train", "dev", "test")
                       for root in ("", "LibriSpeech/")), "*/*/*.trans.txt"], librispeech),
    ("TIMIT", [f"{root}{part}/{TIMIT_PHONES}" for part in TIMIT_PARTS.values() for root in TIMIT_ROOTS], timit),
)  # fmt: skip
"""Layouts, the files that tell each, those of training first, and what reads it."""


def own_oddities(path: Path) -> Iterator[str]:
    """What is odd about the transcripts of one's own data; nothing about any other file."""
    try:
        corpus = find_corpus(str(path.absolute()))
    except DataError:
        return
    for line in oddities(corpus):
        yield f"{line}; data.normalisation=spoken makes them one"


def find_corpus(
    data: str, data_dir: Path | None = None, scored: Sequence[Split] = (), settings: ASRDataConfig = AS_IT_IS
) -> SpeechCorpus:
    """The corpus of a known name, or of a path; of one's own data that is only to be ``scored``, these splits.

    ``settings`` say what of it is used, and how it is dealt out; its own name counts for nothing here.

    Raises:
        DataError: nothing has this name, or the data is missing or damaged.
    """
    if data == DEMO.name:
        return demo()
    if data in PUBLISHED:
        _require_parts(data, PUBLISHED[data], settings)
        return PUBLISHED[data](locate(data, data_dir), _selection(settings, ()))
    path, selection = expanded(data), _selection(settings, scored)
    if path.is_file():
        return one_manifest(path, selection)
    if not path.is_dir():
        names = [dataset.name for dataset in DATASETS]
        raise DataError(
            f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
            f"datasets: {', '.join(names)}; or give a JSONL manifest, or a folder in one of the known layouts"
        )
    for _, marks, read in LAYOUTS:
        if any(True for mark in marks for _ in path.glob(mark)):
            _require_parts(str(path), read, settings)
            return read(path, selection)
    known = ", ".join(f"{marks[0]} ({name})" for name, marks, _ in LAYOUTS)
    raise DataError(f"{path}: no known layout is in this folder; it needs one of {known}; {contents(path)}")


def _selection(settings: ASRDataConfig, scored: Sequence[Split]) -> Selection:
    return Selection(scored, settings.speakers, settings.split_seed, settings.parts, settings.allow_commands)


def _require_parts(place: str, read: Reader, settings: ASRDataConfig) -> None:
    if settings.parts and read not in (librispeech, kaldi, manifests):
        raise DataError(f"{place}: data.parts is for LibriSpeech, Kaldi data folders and folders of manifests")
