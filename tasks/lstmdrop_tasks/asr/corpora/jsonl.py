"""JSONL manifests: an utterance a line, with ``audio`` or ``features``, ``text``, ``speaker``, ``alignment``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lstmdrop.data.registry import whole_split
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import SPLITS, Split
from lstmdrop_tasks.asr.corpora.own_splits import read_splits, with_held_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

KEYS = {"id", "audio", "features", "text", "speaker", "alignment", "start", "end"}


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
    found = [_utterance(path, number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    ids = {utterance.id for utterance in found}
    if len(ids) < len(found):
        raise DataError(f"{path}: {len(found) - len(ids)} ids come twice")
    return tuple(found)


def _utterance(path: Path, number: int, line: str) -> Utterance:
    try:
        entry: Any = json.loads(line)
        unknown = set(entry) - KEYS
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
        source = entry.get("audio") or entry["features"]
        alignment = entry.get("alignment")
        return Utterance(
            id=str(entry.get("id", Path(source).stem)),
            source=path.parent / source,
            text=entry.get("text"),
            speaker=None if entry.get("speaker") is None else str(entry["speaker"]),
            alignment=None if alignment is None else path.parent / alignment,
            start=entry.get("start"),
            end=entry.get("end"),
        )
    except KeyError as error:
        raise DataError(f"{path}:{number}: the line has no {error}") from None
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}:{number}: {error}") from None
