"""Speech of one's own: JSONL manifests, and Kaldi data folders with ``wav.scp``, ``text`` and ``utt2spk``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import whole_split
from lstmdrop.data.spelling import on_disk
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance, read_splits, with_held_out

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
        source=on_disk(folder / source),
        text=_string(entry, "text", where),
        speaker=_string(entry, "speaker", where),
        alignment=None if alignment is None else on_disk(folder / alignment),
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
        return next((place for place in chain(places, map(on_disk, places)) if place.is_file()), places[0])

    return path


def _span(text: str) -> Span:
    """Recording, start, end (-1 for that of the recording), and perhaps a channel."""
    fields = text.split()
    if len(fields) not in (3, 4):
        raise ValueError("not 'utterance recording start end' with perhaps a channel")
    recording, start, end = fields[0], float(fields[1]), float(fields[2])
    channel = int(fields[3]) if len(fields) > 3 else -1
    return recording, start, None if end == -1 else end, None if channel == -1 else channel
