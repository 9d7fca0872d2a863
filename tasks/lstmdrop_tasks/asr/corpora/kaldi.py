"""Kaldi data folders: ``train/``, ``test/`` and the like, each with ``wav.scp``, ``text``, ``utt2spk``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lstmdrop.data.registry import whole_split
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.corpora.own_splits import with_held_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train",), "valid": ("valid", "dev", "validation"), "test": ("test", "eval")
}  # fmt: skip
WAV_SCP = "wav.scp"

ValueT = TypeVar("ValueT")
Span = tuple[str, float | None, float | None]
"""A recording, and where in it, in seconds."""


def kaldi(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """The data folders below ``folder``, or ``folder`` itself, dealt out by speaker or, to be scored, as that split.

    Raises:
        DataError: a file is missing or damaged.
    """
    if (folder / WAV_SCP).is_file():
        split = whole_split(folder, scored)
        return with_held_out(folder.name, {split: read_data_folder(folder, folder.parent)}, scored)
    found = {}
    for split, names in NAMES.items():
        for name in names:
            if split not in found and (folder / name / WAV_SCP).is_file():
                found[split] = read_data_folder(folder / name, folder)
    return with_held_out(folder.name, found, scored)


def read_data_folder(folder: Path, root: Path) -> tuple[Utterance, ...]:
    """One data folder; paths in ``wav.scp`` start at ``root``, at the folder or where the program was started.

    Raises:
        DataError: a file is missing or damaged, a recording is a command in place of a file, or they contradict.
    """
    wavs = _table(folder / WAV_SCP, _path_from(folder, root))
    texts = _table(folder / "text", str, may_be_empty=True)
    speakers = _table(folder / "utt2spk", str) if (folder / "utt2spk").is_file() else {}
    ctm = folder / "ctm" if (folder / "ctm").is_file() else folder / "phones.ctm"
    alignment = ctm if ctm.is_file() else None
    segments = folder / "segments"
    spans: dict[str, Span] = (
        _table(segments, _span) if segments.is_file() else {name: (name, None, None) for name in wavs}
    )
    unknown = [name for name in texts if name not in spans]
    if unknown:
        raise DataError(f"{folder / 'text'}: {unknown[0]} is in no other file of the folder")
    found = []
    for name, (recording, start, end) in spans.items():
        if recording not in wavs:
            raise DataError(f"{segments}: {recording} is not in {WAV_SCP}")
        found.append(Utterance(name, wavs[recording], texts.get(name, ""), speakers.get(name), alignment, start, end))
    return tuple(found)


def _table(path: Path, parse: Callable[[str], ValueT], *, may_be_empty: bool = False) -> dict[str, ValueT]:
    entries: dict[str, ValueT] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        name, *rest = re.split(r"\s+", line.strip(), maxsplit=1)
        if not rest and not may_be_empty:
            raise DataError(f"{path}:{number}: nothing follows {name}")
        if name in entries:
            raise DataError(f"{path}:{number}: {name} comes twice")
        try:
            entries[name] = parse(rest[0] if rest else "")
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from None
    return entries


def _path_from(folder: Path, root: Path) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        if text.endswith("|"):
            raise ValueError("this recording is a command, not a file; write its output to a file first")
        given = Path(text)
        places = [given] if given.is_absolute() else [root / given, folder / given, given]
        return next((place for place in places if place.is_file()), places[0])

    return path


def _span(text: str) -> Span:
    recording, start, end = text.split()
    return recording, float(start), None if float(end) < 0 else float(end)
