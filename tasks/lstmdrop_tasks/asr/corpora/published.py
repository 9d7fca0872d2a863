"""The layouts of published speech: Common Voice, LibriSpeech, LJSpeech."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import whole_split
from lstmdrop.data.spelling import composed, name_key, on_disk
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.utterances import (
    SpeechCorpus,
    Utterance,
    hold_out,
    read_splits,
    require_different_ids,
    tell_missing,
    with_held_out,
)

FILES: dict[Split, str] = {"train": "train.tsv", "valid": "dev.tsv", "test": "test.tsv"}
COLUMNS = ("client_id", "path", "sentence")


def common_voice(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """One language of a release; the published splits share no speaker.

    Raises:
        DataError: a table is missing or damaged.
    """
    tables: dict[Split, Path] = {split: folder / name for split, name in FILES.items()}
    return with_held_out(folder.name, read_splits(tables, _table), scored)


def _table(path: Path) -> tuple[Utterance, ...]:
    # quotation marks are part of the sentences
    rows = csv.DictReader(read_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise DataError(f"{path}:1: no column {missing[0]!r}")
    found = []
    for row in rows:
        where = f"{path}:{rows.line_num}"
        if not row["path"] or row["sentence"] is None:
            raise DataError(f"{where}: the row has no path or no sentence")
        clip, text = path.parent / "clips" / row["path"], row["sentence"].strip() and row["sentence"]
        found.append(Utterance(clip.stem, on_disk(clip), text or None, row["client_id"] or None, where=where))
    return tuple(found)


TRAIN = ("train-clean-5", "train-clean-100", "train-clean-360", "train-other-500")
VALID = ("dev-clean", "dev-clean-2")
TEST = ("test-clean",)
LIBRISPEECH_SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".mp3")


def librispeech(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """All training parts that are there, ``dev-clean`` and ``test-clean``; below ``LibriSpeech/`` if so unpacked.

    Raises:
        DataError: there is no training part, or a transcript has no sound file.
    """
    root = folder / "LibriSpeech" if (folder / "LibriSpeech").is_dir() else folder
    parts: dict[Split, tuple[str, ...]] = {"train": TRAIN, "valid": VALID, "test": TEST}
    found = {}
    for split, names in parts.items():
        utterances = tuple(u for name in names if (root / name).is_dir() for u in _part(root / name))
        if utterances:
            found[split] = utterances
    if "train" not in found and not scored:
        raise DataError(f"{root}: no training part is here, such as train-clean-100")
    return with_held_out(folder.name, found, scored)


def _part(folder: Path) -> list[Utterance]:
    return [u for transcripts in sorted(folder.glob("*/*/*.trans.txt")) for u in _chapter(transcripts)]


def _chapter(transcripts: Path) -> list[Utterance]:
    found = []
    sounds = _sounds(transcripts.parent, LIBRISPEECH_SOUNDS)
    for number, line in enumerate(read_lines(transcripts), 1):
        if not line.strip():
            continue
        name, _, text = line.partition(" ")
        sound = next((own for suffix in LIBRISPEECH_SOUNDS if (own := sounds.get(name_key(f"{name}{suffix}")))), None)
        if sound is None:
            raise DataError(f"{transcripts}:{number}: there is no {name}.flac beside it")
        where = f"{transcripts}:{number}"
        found.append(Utterance(name, sound, text or None, speaker=name.partition("-")[0], where=where))
    known = {composed(utterance.id) for utterance in found}
    here = sorted(path.stem for path in sounds.values())
    tell_missing(f"{transcripts}: no line is about", [name for name in here if composed(name) not in known])
    return found


def _sounds(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """The sound files of a folder, by what `name_key` makes of their names."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {name_key(file.name): file for file in files if file.suffix.lower() in endings}


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
    files = _sounds(folder / "wavs", LJSPEECH_SOUNDS)
    sounds = {
        composed(file.stem): file
        for suffix in reversed(LJSPEECH_SOUNDS)
        for file in files.values()
        if file.suffix.lower() == suffix
    }
    keys = {clip.id: composed(clip.id) for clip in listed}
    found = [replace(clip, source=sounds[keys[clip.id]]) for clip in listed if keys[clip.id] in sounds]
    require_different_ids(listed)
    if not found:
        raise DataError(f"{folder / 'wavs'}: none of the {len(listed):,} clips of {METADATA} is here")
    tell_missing(
        f"{path}: of {len(listed):,} clips, no sound is in wavs/ for",
        [c.id for c in listed if keys[c.id] not in sounds],
    )
    known, names = set(keys.values()), {key: file.stem for key, file in sounds.items()}
    unlisted = [name for key, name in names.items() if key not in known]
    tell_missing(f"{folder / 'wavs'}: no line of {METADATA} is about", unlisted)
    if scored:
        return SpeechCorpus(folder.name, {whole_split(folder, scored): tuple(found)})
    rest, test = hold_out(found)
    train, valid = hold_out(rest, share=len(test) / max(1, len(rest)))
    if not train:
        raise DataError(f"{folder}: {len(found)} clips are too few to hold some out for valid and test")
    return SpeechCorpus(folder.name, {"train": train, "valid": valid, "test": test})


def _clip(folder: Path, where: str, line: str) -> Utterance:
    name, *texts = _fields(where, line)
    text = next((text for text in reversed(texts) if text.strip()), None)
    grid = on_disk(folder / "TextGrid" / f"{name}.TextGrid")
    source = folder / "wavs" / f"{name}{LJSPEECH_SOUNDS[0]}"
    return Utterance(name, source, text, alignment=grid if grid.is_file() else None, where=where)


def _fields(where: str, line: str) -> list[str]:
    fields = line.split("|")  # quotation marks are part of the text
    if len(fields) not in (2, 3):
        fields = next(csv.reader([line], delimiter="|"))  # unless they keep one of these bars
    if len(fields) not in (2, 3) or not fields[0].strip():
        raise DataError(f"{where}: not 'name|text|normalised text'")
    return fields
