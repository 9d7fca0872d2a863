"""Kaldi data folders, with ``wav.scp``, ``text``, ``utt2spk`` and ``segments``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from lstmdrop.config import Split
from lstmdrop.data.registry import whole_split
from lstmdrop.data.spelling import is_file, on_disk
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.commands import sound_of
from lstmdrop_tasks.asr.corpora.utterances import (
    EVERYTHING,
    Selection,
    SpeechCorpus,
    Utterance,
    chosen_parts,
    with_held_out,
)

WAV_SCP = "wav.scp"

ValueT = TypeVar("ValueT")
Span = tuple[str, float | None, float | None, int | None]
"""A recording, where in it, in seconds, and in which channel."""


def kaldi(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """The data folders below ``folder``, or ``folder`` itself, dealt out by speaker or, to be scored, as that split.

    Raises:
        DataError: a file is missing or damaged.
    """
    commands = selection.allow_commands
    if (folder / WAV_SCP).is_file():
        own = read_data_folder(folder, folder.parent, allow_commands=commands)
        return with_held_out(folder.name, {whole_split(folder, selection.scored): own}, selection)
    present = [table.parent.name for table in folder.glob(f"*/{WAV_SCP}")]
    found: dict[Split, tuple[Utterance, ...]] = {
        split: tuple(
            utterance
            for part in parts
            for utterance in read_data_folder(folder / part, folder, allow_commands=commands)
        )
        for split, parts in chosen_parts(folder, present, selection).items()
    }
    return with_held_out(folder.name, found, selection)


def read_data_folder(folder: Path, root: Path, *, allow_commands: bool = False) -> tuple[Utterance, ...]:
    """One data folder; paths in ``wav.scp`` start at ``root``, at the folder or where the program was started.

    Raises:
        DataError: a file is missing or damaged, or they contradict; a recording is a command in place of a file and
            commands are not allowed, or it fails.
    """
    wavs = _table(folder / WAV_SCP, _path_from(folder, root, allow_commands))
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


def _path_from(folder: Path, root: Path, allow_commands: bool) -> Callable[[str], Path]:
    bases = (root, folder, Path())

    def path(text: str) -> Path:
        if text.endswith("|"):
            return sound_of(text.removesuffix("|").strip(), bases, allowed=allow_commands)
        if re.search(r"\.(ark|scp):\d+", text):
            raise ValueError("this recording is in a Kaldi archive; copy it to a file first, with wav-copy")
        given = Path(text)
        places = [given] if given.is_absolute() else [base / given for base in bases]
        return next((place for place in chain(places, map(on_disk, places)) if is_file(place)), places[0])

    return path


def _span(text: str) -> Span:
    """Recording, start, end (-1 for that of the recording), and perhaps a channel."""
    fields = text.split()
    if len(fields) not in (3, 4):
        raise ValueError("not 'utterance recording start end' with perhaps a channel")
    recording, start, end = fields[0], float(fields[1]), float(fields[2])
    channel = int(fields[3]) if len(fields) > 3 else -1
    return recording, start, None if end == -1 else end, None if channel == -1 else channel
