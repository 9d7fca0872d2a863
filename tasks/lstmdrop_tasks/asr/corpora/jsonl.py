"""JSONL manifests: an utterance a line, with ``audio`` or ``features``, ``text``, ``speaker``, ``alignment``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from lstmdrop.data.registry import whole_split
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop.task import SPLITS, Split
from lstmdrop_tasks.asr.corpora.own_splits import read_splits, with_held_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

KEYS = ("audio", "features", "text", "id", "speaker", "alignment", "start", "end")
MOST_SHOWN = 60
"""Characters of a value in an error."""


def manifests(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """A folder with ``train.jsonl`` and, as far as they are there, ``valid.jsonl`` and ``test.jsonl``.

    Raises:
        DataError: there is no training manifest, or a line is damaged.
    """
    paths: dict[Split, Path] = {split: folder / f"{split}.jsonl" for split in SPLITS}
    return with_held_out(folder.name, read_splits(paths, read_manifest), scored)


def one_manifest(path: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """One manifest, dealt out by speaker; where it is to be scored, as that split.

    Raises:
        DataError: a line is damaged.
    """
    return with_held_out(path.stem, {whole_split(path, scored): read_manifest(path)}, scored)


def read_manifest(path: Path) -> tuple[Utterance, ...]:
    """The utterances of a manifest; paths in it start at its folder.

    Raises:
        DataError: it is missing, or a line is damaged.
    """
    lines = enumerate(read_lines(path), 1)
    found = [_utterance(path.parent, f"{path}:{number}", line) for number, line in lines if line.strip()]
    first: dict[str, Utterance] = {}
    again = [utterance for utterance in found if first.setdefault(utterance.id, utterance) is not utterance]
    if again:
        raise DataError(
            f"{path}: {len(again)} ids come twice, such as {again[0].id!r} ({again[0].where})\n"
            'without "id" it is the name of the file: give each line its own'
        )
    return tuple(found)


def _utterance(folder: Path, where: str, line: str) -> Utterance:
    entry = _entry(where, line)
    source = _string(entry, "audio", where) or _string(entry, "features", where)
    if not source:
        raise DataError(f"{where}: the line has no 'features' and no 'audio'")
    alignment = _string(entry, "alignment", where)
    name = _string(entry, "id", where)
    return Utterance(
        id=Path(source).stem if name is None else name,
        source=folder / source,
        text=_string(entry, "text", where),
        speaker=_string(entry, "speaker", where),
        alignment=None if alignment is None else folder / alignment,
        start=_seconds(entry, "start", where),
        end=_seconds(entry, "end", where),
        where=where,
    )


def _entry(where: str, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line, parse_float=Decimal, object_pairs_hook=_without_repetition)  # 5.10 stays 5.10
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} (character {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {error}") from None
    if not isinstance(entry, dict):
        raise DataError(f'{where}: a line is an object such as {{"audio": "a.wav", "text": "what is said"}}')
    for key in entry:
        if key not in KEYS:
            raise DataError(f"{where}: unknown key {key!r}{did_you_mean(key, KEYS)}; known are {', '.join(KEYS)}")
    return entry


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
    text = json.dumps(value, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
