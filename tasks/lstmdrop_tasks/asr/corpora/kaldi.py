"""Kaldi data folders: ``train/``, ``test/`` and the like, each with ``wav.scp``, ``text``, ``utt2spk``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

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
Span = tuple[str, float | None, float | None, int | None]
"""A recording, where in it, in seconds, and in which channel."""


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
    texts = _table(folder / "text", str, may_be_empty=True) if (folder / "text").is_file() else {}
    speakers = _table(folder / "utt2spk", str) if (folder / "utt2spk").is_file() else {}
    ctm = folder / "ctm" if (folder / "ctm").is_file() else folder / "phones.ctm"
    alignment = ctm if ctm.is_file() else None
    segments = folder / "segments"
    spans: dict[str, _Line[Span]] = (
        _table(segments, _span)
        if segments.is_file()
        else {name: _Line((name, None, None, None), wav.where) for name, wav in wavs.items()}
    )
    unknown = [name for name in texts if name not in spans]
    if unknown:
        raise DataError(
            f"{folder / 'text'}: {unknown[0]} is in no other file of the folder ({texts[unknown[0]].where})"
        )
    found = []
    for name, line in spans.items():
        recording, start, end, channel = line.value
        if recording not in wavs:
            raise DataError(f"{segments}: {recording} is not in {WAV_SCP} ({line.where})")
        sound = wavs[recording].value
        text, speaker = (table[name].value if name in table else None for table in (texts, speakers))
        found.append(Utterance(name, sound, text, speaker, alignment, start, end, channel, line.where))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Line(Generic[ValueT]):
    value: ValueT
    where: str


def _table(path: Path, parse: Callable[[str], ValueT], *, may_be_empty: bool = False) -> dict[str, _Line[ValueT]]:
    entries: dict[str, _Line[ValueT]] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        name, *rest = re.split(r"\s+", line.strip(), maxsplit=1)
        if not rest and not may_be_empty:
            raise DataError(f"{where}: nothing follows {name}")
        if name in entries:
            raise DataError(f"{where}: {name} comes twice")
        try:
            entries[name] = _Line(parse(rest[0] if rest else ""), where)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
    return entries


def _path_from(folder: Path, root: Path) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        if text.endswith("|"):
            raise ValueError("this recording is a command, not a file; write its output to a file first")
        if re.search(r"\.(ark|scp):\d+", text):
            raise ValueError("this recording is in a Kaldi archive; copy it to a file first, with wav-copy")
        given = Path(text)
        places = [given] if given.is_absolute() else [root / given, folder / given, given]
        return next((place for place in places if place.is_file()), places[0])

    return path


def _span(text: str) -> Span:
    """Recording, start, end (-1 for that of the recording), and perhaps a channel."""
    fields = text.split()
    if len(fields) not in (3, 4):
        raise ValueError("not 'utterance recording start end' with perhaps a channel")
    recording, start, end = fields[0], float(fields[1]), float(fields[2])
    channel = int(fields[3]) if len(fields) > 3 else -1
    return recording, start, None if end == -1 else end, None if channel == -1 else channel
