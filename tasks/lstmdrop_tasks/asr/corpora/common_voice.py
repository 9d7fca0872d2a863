"""Common Voice: ``train.tsv``, ``dev.tsv``, ``test.tsv`` over ``clips/``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.corpora.own_splits import read_splits, with_held_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

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
        found.append(Utterance(clip.stem, clip, text or None, row["client_id"] or None, where=where))
    return tuple(found)
