"""Manifests: an utterance a line, as JSON or in a table, under the names that several toolkits have for its parts."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.json_file import to_json
from lstmdrop.data.registry import whole_split
from lstmdrop.data.rows import table_reader, whole_rows
from lstmdrop.data.spelling import on_disk
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop.parsing import parse_json
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

KEYS = ("audio", "features", "text", "id", "speaker", "alignment", "start", "end", "duration", "channel", "split")
SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(["audio_filepath", "audio_path", "audio_file", "file_name", "file", "path", "wav"], "audio"),
    **dict.fromkeys(["transcript", "transcription", "sentence", "txt", "words", "wrd"], "text"),
    **dict.fromkeys(["utt_id", "utterance_id", "utt", "key"], "id"),
    **dict.fromkeys(["spk", "spk_id", "spkid", "speaker_id", "client_id"], "speaker"),
    "offset": "start",
    "length": "duration",
    "subset": "split",
}
"""The names of NeMo, SpeechBrain, WeNet, Hugging Face's audio folders and Common Voice, in lower case."""
UNUSED = frozenset(
    ["lang", "language", "locale", "gender", "sex", "age", "accent", "accents", "sample_rate", "sampling_rate",
     "num_samples", "num_frames", "dataset"]
)  # fmt: skip
"""Keys of theirs from which nothing is learnt."""

TIMES, NUMBER = ("start", "end", "duration", "channel"), re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\s*")
MOST_SHOWN = 60
"""Characters of a value in an error."""
MANIFESTS = (".jsonl", ".json", ".csv", ".tsv")
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
    found = [_utterance(path.parent, where, entry) for where, entry in _entries(path)]
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


def names_sound(columns: Iterable[str]) -> bool:
    """Whether these are the columns of a table of utterances."""
    return any(SYNONYMS.get(name, name) in ("audio", "features") for name in map(str.lower, map(str.strip, columns)))


def names_recordings(path: Path) -> bool:
    """Whether this is a manifest, as far as its first line says."""
    suffix = path.suffix.lower()
    if suffix not in MANIFESTS:
        return False
    try:
        first = next((line for line in read_lines(path) if line.strip()), "")
        if suffix in (".csv", ".tsv"):
            return names_sound(first.split("," if suffix == ".csv" else "\t"))
        start = parse_json(first) if suffix == ".jsonl" else next(iter(_entries(path)), ("", {}))[1]
    except (DataError, ValueError):
        return False
    return isinstance(start, dict) and ("supervisions" in start or names_sound(start))


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each line says, and where it is."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        yield from _rows(path, "," if suffix == ".csv" else "\t")
        return
    numbered = [(f"{path}:{number}", line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    whole = _whole(line for _, line in numbered) if suffix == ".json" else None
    if whole is not None:
        yield from ((f"{path}: {name}", _renamed({"id": name, **entry}, f"{path}: {name}")) for name, entry in whole)
    else:
        yield from ((where, _renamed(_object(where, line), where)) for where, line in numbered)


def _rows(path: Path, delimiter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """An empty cell says nothing; quotation marks keep commas, and are part of what tabs separate."""
    rows = table_reader(path, delimiter, csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE)
    for row in whole_rows(rows, path):
        where = f"{path}:{rows.line_num}"
        if None in row or None in row.values():
            raise DataError(f"{where}: the row has not the {len(rows.fieldnames or ())} cells of the header")
        entry = _renamed({key: cell for key, cell in row.items() if cell.strip()}, where)
        try:
            times = {key: _decimal(entry[key]) for key in TIMES if NUMBER.fullmatch(entry.get(key, ""))}
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        yield where, {**entry, **times}


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text[:MOST_SHOWN]} has too large an exponent") from None


def _whole(lines: Iterable[str]) -> Iterable[tuple[str, dict[str, Any]]] | None:
    """What a file has that is one JSON object of utterances by their name, as SpeechBrain writes them."""
    try:
        whole = parse_json("\n".join(lines), parse_float=_decimal)
    except ValueError:
        return None  # an object a line, as NeMo writes them
    is_by_name = isinstance(whole, dict) and whole and all(isinstance(entry, dict) for entry in whole.values())
    return whole.items() if is_by_name else None


def _utterance(folder: Path, where: str, entry: Mapping[str, Any]) -> Utterance:
    sound = _string(entry, "audio", where)
    source = sound or _string(entry, "features", where)
    if not source:
        raise DataError(f"{where}: the line has no 'features' and no 'audio'")
    alignment = _string(entry, "alignment", where)
    name = _string(entry, "id", where)
    start, end = _stretch(entry, where, is_sound=bool(sound))
    return Utterance(
        id=Path(source).stem if name is None else name,
        source=on_disk(folder / source),
        text=_string(entry, "text", where),
        speaker=_string(entry, "speaker", where),
        alignment=None if alignment is None else on_disk(folder / alignment),
        start=start,
        end=end,
        channel=_channel(entry, where),
        where=where,
        split=_split(entry, where),
    )


def _stretch(entry: Mapping[str, Any], where: str, *, is_sound: bool) -> tuple[float | None, float | None]:
    """Start and end; a duration cuts sound alone: of ready-made features it says nothing new."""
    start, end, duration = (_seconds(entry, key, where) for key in ("start", "end", "duration"))
    if end is None and duration is not None and (is_sound or start is not None):
        end = (start or 0.0) + duration
    return start, end


def _channel(entry: Mapping[str, Any], where: str) -> int | None:
    value = _seconds(entry, "channel", where)
    if value is not None and not value.is_integer():
        raise DataError(f"{where}: 'channel' is {value:g}: channels are counted from 0")
    return None if value is None else int(value)


def _split(entry: Mapping[str, Any], where: str) -> Split | None:
    said = _string(entry, "split", where)
    if said is None:
        return None
    for split, names in SPLIT_NAMES.items():
        if said.strip().lower() in names:
            return split
    raise DataError(f"{where}: 'split' is {_shown(said)}: write {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        entry = parse_json(line, parse_float=_decimal, object_pairs_hook=_without_repetition)  # 5.10 stays 5.10
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} (character {error.pos + 1})") from None
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    if not isinstance(entry, dict):
        raise DataError(f'{where}: a line is an object such as {{"audio": "a.wav", "text": "what is said"}}')
    return entry


def _of_cut(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A cut of Lhotse, which says of the recording and of what is said in it in parts of their own."""
    try:
        (source,), said = entry["recording"]["sources"], entry["supervisions"]
        text = " ".join(one["text"] for one in said)
        cut = {key: entry[key] for key in ("id", "start", "duration", "channel") if key in entry}
        return {**cut, "audio": source["source"], "text": text, "speaker": said[0].get("speaker")}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise DataError(
            f"{where}: not a cut of one recording in one file, with supervisions that have a text"
        ) from None


def _renamed(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The entry under our names."""
    if "supervisions" in entry:
        entry = _of_cut(entry, where)
    renamed: dict[str, Any] = {}
    given: dict[str, str] = {}
    for key, value in entry.items():
        name = SYNONYMS.get(key.lower(), key.lower())
        if name in UNUSED:
            continue
        if name not in KEYS:
            raise DataError(
                f"{where}: unknown key {key!r}{did_you_mean(key, [*KEYS, *SYNONYMS])}; known are "
                f"{', '.join(KEYS)} and, as other toolkits call them, {', '.join(SYNONYMS)}: rename it, or leave it out"
            )
        if name in given:
            raise DataError(f"{where}: {given[name]!r} and {key!r} are the same: leave one out")
        renamed[name], given[name] = value, key
    return renamed


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return entry


def _string(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    """A number stands for its digits; null and NaN, as tables without a value are written, for nothing."""
    value = entry.get(key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise DataError(f"{where}: {key!r} is {_shown(value)}, and needs to be a string")
    text = str(value)
    if any("\ud800" <= letter <= "\udfff" for letter in text) or "\0" in text:
        raise DataError(f"{where}: {key!r} is {_shown(value)}, which holds half a character or none")
    return text


def _seconds(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DataError(f"{where}: {key!r} is {_shown(value)}, and needs to be a number of seconds")
    return float(value)


def _shown(value: object) -> str:
    text = to_json(value, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
