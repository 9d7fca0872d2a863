"""Which recordings a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import contents, expanded, locate
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.asr.config import ASRDataConfig
from lstmdrop_tasks.asr.corpora.datasets import AN4, DATASETS, DEMO, LIBRISPEECH, LJSPEECH, SPEECHOCEAN762
from lstmdrop_tasks.asr.corpora.demo import demo
from lstmdrop_tasks.asr.corpora.entries import names_recordings
from lstmdrop_tasks.asr.corpora.kaldi import WAV_SCP, kaldi
from lstmdrop_tasks.asr.corpora.own import IN_FOLDERS, is_of_a_split, manifests, one_manifest
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
from lstmdrop_tasks.asr.corpora.utterances import SPLIT_NAMES, Selection, SpeechCorpus

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


def is_speech(path: Path) -> bool:
    """Whether a file or folder can be of nothing but speech: of tables and JSON the first line has to name a sound."""
    if path.is_file():
        return names_recordings(path)
    found = next(((marks, read) for _, marks, read in LAYOUTS if any(True for _ in _marked(path, marks))), None)
    if found is None:
        return False
    marks, read = found
    if read is manifests:
        return any(map(names_recordings, _marked(path, marks)))
    if read is common_voice:
        return any("client_id" in next(read_lines(file), "") for file in _marked(path, marks))
    return read is not ljspeech or (path / "wavs").is_dir()


def _marked(folder: Path, marks: Sequence[str]) -> Iterator[Path]:
    return (path for mark in marks for path in folder.glob(mark))


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
        if any(read is not manifests or is_of_a_split(file) or file.name in marks for file in _marked(path, marks)):
            _require_parts(str(path), read, settings)
            return read(path, selection)
    known = ", ".join(f"{marks[0]} ({name})" for name, marks, _ in LAYOUTS)
    raise DataError(f"{path}: no known layout is in this folder; it needs one of {known}; {contents(path)}")


def _selection(settings: ASRDataConfig, scored: Sequence[Split]) -> Selection:
    return Selection(scored, settings.speakers, settings.split_seed, settings.parts, settings.allow_commands)


def _require_parts(place: str, read: Reader, settings: ASRDataConfig) -> None:
    if settings.parts and read not in (librispeech, kaldi, manifests):
        raise DataError(f"{place}: data.parts is for LibriSpeech, Kaldi data folders and folders of manifests")
