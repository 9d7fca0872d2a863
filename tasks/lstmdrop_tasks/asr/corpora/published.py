"""The layouts of published speech: Common Voice, LibriSpeech, LJSpeech, TIMIT."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import whole_split
from lstmdrop.data.rows import table_reader, whole_rows
from lstmdrop.data.spelling import composed, is_file, name_key, on_disk
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.entries import names_sound
from lstmdrop_tasks.asr.corpora.own import one_manifest
from lstmdrop_tasks.asr.corpora.utterances import (
    EVERYTHING,
    Selection,
    SpeechCorpus,
    Utterance,
    chosen_parts,
    hold_out,
    require_different_ids,
    split_called,
    tell_missing,
    with_held_out,
)

log = logging.getLogger("lstmdrop.asr")

FILES: dict[Split, str] = {"train": "train.tsv", "valid": "dev.tsv", "test": "test.tsv"}
COLUMNS = ("client_id", "path", "sentence")


def common_voice(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """One language of a release; the published splits share no speaker.

    Raises:
        DataError: a table is missing or damaged.
    """
    tables: dict[Split, Path] = {split: folder / name for split, name in FILES.items()}
    found: dict[Split, tuple[Utterance, ...]] = {
        split: _table(path) for split, path in tables.items() if path.is_file()
    }
    return with_held_out(folder.name, found, selection)


def _table(path: Path) -> tuple[Utterance, ...]:
    # quotation marks are part of the sentences
    rows = table_reader(path, "\t", csv.QUOTE_NONE)
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise DataError(f"{path}:1: no column {missing[0]!r}")
    found = []
    for row in whole_rows(rows, path):
        where = f"{path}:{rows.line_num}"
        if not row["path"] or row["sentence"] is None:
            raise DataError(f"{where}: the row has no path or no sentence")
        clip, text = path.parent / "clips" / row["path"], row["sentence"].strip() and row["sentence"]
        found.append(Utterance(clip.stem, on_disk(clip), text or None, row["client_id"] or None, where=where))
    return tuple(found)


LIBRISPEECH_SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".mp3")


def librispeech(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """The parts that are asked for; else all of training, and the clean ones of ``dev`` and ``test``.

    They lie in the folder, or below ``LibriSpeech/`` in it. The folder may be one part itself, to be scored.

    Raises:
        DataError: there is no training part, or a transcript has no sound file.
    """
    root = folder / "LibriSpeech" if (folder / "LibriSpeech").is_dir() else folder
    present = [path.name for path in root.iterdir() if path.is_dir() and split_called(path.name)]
    if not present:
        return with_held_out(folder.name, {whole_split(folder, selection.scored): tuple(_part(folder))}, selection)
    found: dict[Split, tuple[Utterance, ...]] = {}
    for split, parts in chosen_parts(root, present, selection).items():
        found[split] = tuple(utterance for part in parts for utterance in _part(root / part))
    if "train" not in found and not selection.scored:
        raise DataError(f"{root}: no training part is here, such as train-clean-100")
    return with_held_out(folder.name, {split: own for split, own in found.items() if own}, selection)


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


def ljspeech(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """The clips that are there; a tenth of them each, drawn by name, for validation and for the test.

    Where they are to be scored, all of them are that split. The log says how many are missing or not listed.

    Raises:
        DataError: the folder has another layout, or no clip, or a name comes twice.
    """
    path = folder / METADATA
    first = next(read_lines(path), "")
    if "|" not in first and names_sound(first.split(",")):  # of Hugging Face, which calls its table so too
        return one_manifest(path, selection)
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
    if selection.scored:
        return SpeechCorpus(folder.name, {whole_split(folder, selection.scored): tuple(found)})
    rest, test = hold_out(found, selection=selection)
    train, valid = hold_out(rest, share=len(test) / max(1, len(rest)), selection=selection)
    if not train:
        raise DataError(f"{folder}: {len(found)} clips are too few to hold some out for valid and test")
    held_out = f"test by utterance, valid by utterance; data.split_seed = {selection.seed}"
    return SpeechCorpus(folder.name, {"train": train, "valid": valid, "test": test}, held_out=held_out)


def _clip(folder: Path, where: str, line: str) -> Utterance:
    name, *texts = _fields(where, line)
    text = next((text for text in reversed(texts) if text.strip()), None)
    grid = on_disk(folder / "TextGrid" / f"{name}.TextGrid")
    source = folder / "wavs" / f"{name}{LJSPEECH_SOUNDS[0]}"
    return Utterance(name, source, text, alignment=grid if is_file(grid) else None, where=where)


def _fields(where: str, line: str) -> list[str]:
    fields = line.split("|")  # quotation marks are part of the text
    if len(fields) not in (2, 3):
        try:
            fields = next(csv.reader([line], delimiter="|"))  # unless they keep one of these bars
        except csv.Error as error:
            raise DataError(f"{where}: {error}") from None
    if len(fields) not in (2, 3) or not fields[0].strip():
        raise DataError(f"{where}: not 'name|text|normalised text'")
    return fields


TIMIT_ROOTS = ("", "[Tt][Ii][Mm][Ii][Tt]/", "data/")
TIMIT_PHONES = "[Dd][Rr][1-8]/*/*.[Pp][Hh][Nn]"
"""A dialect region, a speaker, an utterance."""
TIMIT_PARTS: Mapping[Split, str] = {"train": "[Tt][Rr][Aa][Ii][Nn]", "test": "[Tt][Ee][Ss][Tt]"}
SAID_BY_ALL = "sa"


def timit(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """All of ``TRAIN`` and of ``TEST``, in either case, without the two sentences that all speakers read.

    Of each utterance there are a sound (NIST SPHERE, or converted), phones (``.PHN``) and words (``.TXT`` or ``.WRD``).

    Raises:
        DataError: a part of an utterance is missing or damaged.
    """
    found: dict[Split, tuple[Utterance, ...]] = {}
    num_said_by_all = 0
    for split, part in TIMIT_PARTS.items():
        phones = [path for root in TIMIT_ROOTS for path in sorted(folder.glob(f"{root}{part}/{TIMIT_PHONES}"))]
        own = [path for path in phones if not path.stem.lower().startswith(SAID_BY_ALL)]
        num_said_by_all += len(phones) - len(own)
        if own:
            found[split] = tuple(map(_sentence, own))
    if num_said_by_all:
        log.info("%s: %d readings of the two sentences that all speakers read are left out", folder, num_said_by_all)
    return with_held_out(folder.name, found, selection)


def _sentence(phones: Path) -> Utterance:
    speaker = phones.parent.name.lower()
    beside = _sounds(phones.parent, (".wav", ".flac", ".txt", ".wrd"))
    names = {name.lower(): path for name, path in beside.items()}
    stem = phones.stem.lower()
    sound = next((names[name] for end in (".wav.wav", ".wav", ".flac") if (name := f"{stem}{end}") in names), None)
    if sound is None:
        raise DataError(f"{phones}: there is no {phones.stem}.WAV beside it")
    written = names.get(f"{stem}.txt") or names.get(f"{stem}.wrd")
    text = None if written is None else " ".join(_words(written))
    return Utterance(f"{speaker}-{stem}", sound, text, speaker, alignment=phones, where=str(phones))


def _words(path: Path) -> Iterator[str]:
    """A line has two numbers of samples, and what is said between them: a sentence or a word."""
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split(maxsplit=2)
        if fields and (len(fields) < 3 or not fields[0].isdecimal() or not fields[1].isdecimal()):
            raise DataError(f"{path}:{number}: not 'first-sample last-sample words'")
        yield from fields[2:]
