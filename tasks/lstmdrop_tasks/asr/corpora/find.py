"""Which recordings a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import contents, expanded, locate
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.asr.corpora.datasets import AN4, DATASETS, DEMO, LIBRISPEECH, LJSPEECH, SPEECHOCEAN762
from lstmdrop_tasks.asr.corpora.demo import demo
from lstmdrop_tasks.asr.corpora.own import NAMES, WAV_SCP, kaldi, manifests, one_manifest
from lstmdrop_tasks.asr.corpora.published import FILES, METADATA, common_voice, librispeech, ljspeech
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, oddities

Reader = Callable[[Path, Sequence[Split]], SpeechCorpus]
"""Reads a folder or file; splits that are only to be scored need no other beside them."""

PUBLISHED: Mapping[str, Reader] = {
    LJSPEECH.name: ljspeech,
    AN4.name: manifests,
    SPEECHOCEAN762.name: kaldi,
    LIBRISPEECH.name: librispeech,
}

LAYOUTS: tuple[tuple[str, Sequence[str], Reader], ...] = (
    ("JSONL manifests", [f"{split}.jsonl" for split in SPLITS], manifests),
    ("LJSpeech", [METADATA], ljspeech),
    ("Kaldi", [WAV_SCP, *(f"{name}/{WAV_SCP}" for names in NAMES.values() for name in names)], kaldi),
    ("Common Voice", list(FILES.values()), common_voice),
    ("LibriSpeech", [f"{root}{part}-*/*/*/*.trans.txt" for part in ("train", "dev", "test")
                     for root in ("", "LibriSpeech/")], librispeech),
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


def find_corpus(data: str, data_dir: Path | None = None, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """The corpus of a known name, or of a path; of one's own data that is only to be ``scored``, these splits.

    Raises:
        DataError: nothing has this name, or the data is missing or damaged.
    """
    if data == DEMO.name:
        return demo()
    if data in PUBLISHED:
        return PUBLISHED[data](locate(data, data_dir), ())
    path = expanded(data)
    if path.is_file():
        return one_manifest(path, scored)
    if not path.is_dir():
        names = [dataset.name for dataset in DATASETS]
        raise DataError(
            f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
            f"datasets: {', '.join(names)}; or give a JSONL manifest, or a folder in one of the known layouts"
        )
    for _, marks, read in LAYOUTS:
        if any(True for mark in marks for _ in path.glob(mark)):
            return read(path, scored)
    known = ", ".join(f"{marks[0]} ({name})" for name, marks, _ in LAYOUTS)
    raise DataError(f"{path}: no known layout is in this folder; it needs one of {known}; {contents(path)}")
