"""What a line of a manifest says of an utterance, under our names, whichever toolkit has written it."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from lstmdrop.data.rows import table_reader, whole_rows
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop.parsing import parse_json, to_json

MANIFESTS = (".jsonl", ".json", ".csv", ".tsv")
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
        start = parse_json(first) if suffix == ".jsonl" else next(iter(entries_of(path)), ("", {}))[1]
    except (DataError, ValueError):
        return False
    return isinstance(start, dict) and ("supervisions" in start or names_sound(start))


def entries_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
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


def text_at(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    """A text; a number stands for its digits; null and NaN, as tables without a value are written, for nothing.

    Raises:
        DataError: it is something else.
    """
    value = entry.get(key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise DataError(f"{where}: {key!r} is {shown(value)}, and needs to be a string")
    text = str(value)
    if any("\ud800" <= letter <= "\udfff" for letter in text) or "\0" in text:
        raise DataError(f"{where}: {key!r} is {shown(value)}, which holds half a character or none")
    return text


def number_at(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    """A number of seconds, or of what is counted; None where the line says none.

    Raises:
        DataError: it is something else.
    """
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DataError(f"{where}: {key!r} is {shown(value)}, and needs to be a number of seconds")
    return float(value)


def shown(value: object) -> str:
    """A value in an error: as it was written, and not much of it."""
    text = to_json(value, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
