"""Identity of many files by their content, read again only when one has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.text import content_sha256
from lstmdrop_tasks.asr.corpora.utterance import Utterance


def content_of(utterances: Sequence[Utterance], *, labelled: bool) -> str:
    """Hash over what features are made from: ids, sound, and alignments where ``labelled``; not the transcripts.

    It is remembered for files whose sizes and times of change stay as they are.
    """
    files = list(dict.fromkeys(utterance.source for utterance in utterances))
    if labelled:
        files += list(dict.fromkeys(u.alignment for u in utterances if u.alignment is not None))
    parts = [f"{utterance.id} {utterance.start} {utterance.end}" for utterance in utterances]
    note = cache_dir() / "digests" / _hash([*parts, *map(_state, files)])[:32]
    if note.is_file():
        return note.read_text(encoding="ascii")
    digest = _hash([*parts, *map(_content, files)])
    with atomic_file(note) as handle:
        handle.write(digest.encode())
    return digest


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path} missing"
    return f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _content(path: Path) -> str:
    return content_sha256(path) if path.is_file() else "missing"


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
