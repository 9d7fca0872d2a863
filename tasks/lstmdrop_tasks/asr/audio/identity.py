"""What the features of utterances are made from."""

from __future__ import annotations

from collections.abc import Sequence

from lstmdrop.data.many_files import remembered_content
from lstmdrop_tasks.asr.corpora.utterance import Utterance


def content_of(utterances: Sequence[Utterance], *, labelled: bool) -> str:
    """Hash over what features are made from: ids, sound, and alignments where ``labelled``; not the transcripts."""
    files = list(dict.fromkeys(utterance.source for utterance in utterances))
    if labelled:
        files += list(dict.fromkeys(u.alignment for u in utterances if u.alignment is not None))
    parts = [f"{utterance.id} {utterance.start} {utterance.end}" for utterance in utterances]
    return remembered_content(files, parts)
