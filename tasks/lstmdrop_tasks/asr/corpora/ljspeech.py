"""The LJSpeech layout: ``metadata.csv`` over ``wavs/``, TextGrid alignments in ``TextGrid/`` if they are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.registry import whole_split
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.corpora.splitting import hold_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

METADATA = "metadata.csv"
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def ljspeech(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """The clips that are there; a tenth of them each, drawn by name, for validation and for the test.

    Where they are to be scored, all of them are that split.

    Raises:
        DataError: the folder has another layout, or no clip.
    """
    listed = [_fields(folder / METADATA, number, line) for number, line in enumerate(read_lines(folder / METADATA), 1)]
    found = [clip for name, text in listed if (clip := _clip(folder, name, text)) is not None]
    if not found:
        raise DataError(f"{folder / 'wavs'}: none of the {len(listed):,} clips of {METADATA} is here")
    if scored:
        return SpeechCorpus(folder.name, {whole_split(folder, scored): tuple(found)})
    rest, test = hold_out(found)
    train, valid = hold_out(rest, share=len(test) / max(1, len(rest)))
    return SpeechCorpus(folder.name, {"train": train, "valid": valid, "test": test})


def _fields(path: Path, number: int, line: str) -> tuple[str, str]:
    fields = line.split("|")
    if len(fields) not in (2, 3):
        raise DataError(f"{path}:{number}: not 'name|text|normalised text'")
    return fields[0], fields[-1]


def _clip(folder: Path, name: str, text: str) -> Utterance | None:
    sounds = [path for suffix in SUFFIXES if (path := folder / "wavs" / f"{name}{suffix}").is_file()]
    grid = folder / "TextGrid" / f"{name}.TextGrid"
    if not sounds:
        return None
    return Utterance(name, sounds[0], text, alignment=grid if grid.is_file() else None)
