"""The LJSpeech layout: ``metadata.csv`` over ``wavs/``, TextGrid alignments in ``TextGrid/`` if they are there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lstmdrop.data.registry import whole_split
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.corpora.own_splits import require_different_ids, tell_missing
from lstmdrop_tasks.asr.corpora.splitting import hold_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

METADATA = "metadata.csv"
LJSPEECH_SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def ljspeech(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """The clips that are there; a tenth of them each, drawn by name, for validation and for the test.

    Where they are to be scored, all of them are that split. The log says how many are missing or not listed.

    Raises:
        DataError: the folder has another layout, or no clip, or a name comes twice.
    """
    path = folder / METADATA
    numbered = enumerate(read_lines(path), 1)
    listed = [_clip(folder, f"{path}:{number}", line) for number, line in numbered if line.strip()]
    sounds = {sound.stem: sound for suffix in reversed(LJSPEECH_SOUNDS) for sound in (folder / "wavs").glob(f"*{suffix}")}
    found = [replace(clip, source=sounds[clip.id]) for clip in listed if clip.id in sounds]
    require_different_ids(listed)
    if not found:
        raise DataError(f"{folder / 'wavs'}: none of the {len(listed):,} clips of {METADATA} is here")
    tell_missing(
        f"{path}: of {len(listed):,} clips, no sound is in wavs/ for", [c.id for c in listed if c.id not in sounds]
    )
    known = {clip.id for clip in listed}
    tell_missing(f"{folder / 'wavs'}: no line of {METADATA} is about", [name for name in sounds if name not in known])
    if scored:
        return SpeechCorpus(folder.name, {whole_split(folder, scored): tuple(found)})
    rest, test = hold_out(found)
    train, valid = hold_out(rest, share=len(test) / max(1, len(rest)))
    return SpeechCorpus(folder.name, {"train": train, "valid": valid, "test": test})


def _clip(folder: Path, where: str, line: str) -> Utterance:
    name, *texts = _fields(where, line)
    text = next((text for text in reversed(texts) if text.strip()), None)
    grid = folder / "TextGrid" / f"{name}.TextGrid"
    source = folder / "wavs" / f"{name}{LJSPEECH_SOUNDS[0]}"
    return Utterance(name, source, text, alignment=grid if grid.is_file() else None, where=where)


def _fields(where: str, line: str) -> list[str]:
    fields = line.split("|")  # quotation marks are part of the text
    if len(fields) not in (2, 3):
        fields = next(csv.reader([line], delimiter="|"))  # unless they keep one of these bars
    if len(fields) not in (2, 3) or not fields[0].strip():
        raise DataError(f"{where}: not 'name|text|normalised text'")
    return fields
