"""Manifests: an utterance a line, as JSON or in a table, under the names that several toolkits have for its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import whole_split
from lstmdrop.data.spelling import on_disk
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.entries import MANIFESTS, entries_of, names_recordings, number_at, shown, text_at
from lstmdrop_tasks.asr.corpora.utterances import (
    EVERYTHING,
    SPLIT_NAMES,
    Selection,
    SpeechCorpus,
    Utterance,
    chosen_parts,
    split_called,
    with_held_out,
)

IN_FOLDERS = MANIFESTS[:-1]  # where a ``train.tsv`` is Common Voice's
METADATA = "metadata.jsonl"


def manifests(folder: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """A folder with a manifest of training and, as far as they are there, of validation and test.

    Raises:
        DataError: there is no training manifest, or a line is damaged.
    """
    if (folder / METADATA).is_file() and not selection.parts:
        return one_manifest(folder / METADATA, selection)
    paths = {path.stem: path for suffix in reversed(IN_FOLDERS) for path in sorted(folder.glob(f"*{suffix}"))}
    present = {name.removesuffix("_manifest"): path for name, path in paths.items() if is_of_a_split(path)}
    found: dict[Split, tuple[Utterance, ...]] = {}
    for split, parts in chosen_parts(folder, present, selection).items():
        found[split] = tuple(utterance for part in parts for utterance in read_manifest(present[part]))
        other = next((u for u in found[split] if u.split not in (None, split)), None)
        if other is not None:
            raise DataError(f"{other.where}: the line is of {other.split}, and the file of {split}")
    return with_held_out(folder.name, found, selection)


def one_manifest(path: Path, selection: Selection = EVERYTHING) -> SpeechCorpus:
    """One manifest, dealt out as its lines say, else by speaker; where it is to be scored, as that split.

    Raises:
        DataError: a line is damaged, or only some lines name a split.
    """
    utterances = read_manifest(path)
    without = next((utterance for utterance in utterances if utterance.split is None), None)
    if without is None:
        of_each: dict[Split, tuple[Utterance, ...]] = {
            split: tuple(u for u in utterances if u.split == split) for split in SPLITS
        }
        found: dict[Split, tuple[Utterance, ...]] = {split: own for split, own in of_each.items() if own}
        return with_held_out(path.stem, found, selection)
    if any(utterance.split for utterance in utterances):
        raise DataError(f"{without.where}: the line has no 'split', and others have: write it in each or in none")
    return with_held_out(path.stem, {whole_split(path, selection.scored): utterances}, selection)


def read_manifest(path: Path) -> tuple[Utterance, ...]:
    """The utterances of a manifest (`MANIFESTS`); paths in it start at its folder.

    Raises:
        DataError: it is missing, or a line is damaged.
    """
    found = [_utterance(path.parent, where, entry) for where, entry in entries_of(path)]
    first: dict[str, Utterance] = {}
    again = [utterance for utterance in found if first.setdefault(utterance.id, utterance) is not utterance]
    if again:
        raise DataError(
            f"{path}: {len(again)} ids come twice, such as {again[0].id!r} ({again[0].where})\n"
            'without "id" it is the name of the file: give each line its own'
        )
    return tuple(found)


def is_of_a_split(path: Path) -> bool:
    """Whether a file is called a split, or a part of one and is a manifest: a ``test_results.json`` is none."""
    name = path.stem.removesuffix("_manifest")
    return any(name in names for names in SPLIT_NAMES.values()) or (bool(split_called(name)) and names_recordings(path))


def _utterance(folder: Path, where: str, entry: Mapping[str, Any]) -> Utterance:
    sound = text_at(entry, "audio", where)
    source = sound or text_at(entry, "features", where)
    if not source:
        raise DataError(f"{where}: the line has no 'features' and no 'audio'")
    alignment = text_at(entry, "alignment", where)
    name = text_at(entry, "id", where)
    start, end = _stretch(entry, where, is_sound=bool(sound))
    return Utterance(
        id=Path(source).stem if name is None else name,
        source=on_disk(folder / source),
        text=text_at(entry, "text", where),
        speaker=text_at(entry, "speaker", where),
        alignment=None if alignment is None else on_disk(folder / alignment),
        start=start,
        end=end,
        channel=_channel(entry, where),
        where=where,
        split=_split(entry, where),
    )


def _stretch(entry: Mapping[str, Any], where: str, *, is_sound: bool) -> tuple[float | None, float | None]:
    """Start and end; a duration cuts sound alone: of ready-made features it says nothing new."""
    start, end, duration = (number_at(entry, key, where) for key in ("start", "end", "duration"))
    if end is None and duration is not None and (is_sound or start is not None):
        end = (start or 0.0) + duration
    return start, end


def _channel(entry: Mapping[str, Any], where: str) -> int | None:
    value = number_at(entry, "channel", where)
    if value is not None and not value.is_integer():
        raise DataError(f"{where}: 'channel' is {value:g}: channels are counted from 0")
    return None if value is None else int(value)


def _split(entry: Mapping[str, Any], where: str) -> Split | None:
    said = text_at(entry, "split", where)
    if said is None:
        return None
    for split, names in SPLIT_NAMES.items():
        if said.strip().lower() in names:
            return split
    raise DataError(f"{where}: 'split' is {shown(said)}: write {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
