"""What the features of utterances are made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.many_files import remembered_content
from lstmdrop_tasks.asr.corpora.utterance import Utterance


def content_of(utterances: Sequence[Utterance], *, labelled: bool) -> str:
    """Hash over what features are made from: ids, which sound (and, where ``labelled``, alignment) each has, and
    where in it; not the transcripts.
    """
    columns: list[Sequence[Path | None]] = [[utterance.source for utterance in utterances]]
    if labelled:
        columns.append([utterance.alignment for utterance in utterances])
    parts = [f"{utterance.id} {utterance.start} {utterance.end}" for utterance in utterances]
    files: list[Path] = []
    for column in columns:
        own = list(dict.fromkeys(path for path in column if path is not None))
        places = {path: place for place, path in enumerate(own)}
        which = [None if path is None else places[path] for path in column]
        if which not in (list(range(len(column))), [0] * len(column), [None] * len(column)):
            parts.append(f"files {which}")  # where each has its own, or all have one, their order says it
        files += own
    return remembered_content(files, parts)
