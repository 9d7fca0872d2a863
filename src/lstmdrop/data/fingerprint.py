"""Content hashes of large files, computed once and remembered."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.text import content_sha256

LARGE = 1 << 26
"""Bytes from which a hash is remembered; below, reading the file again takes a moment."""

SETTLED = 10.0
"""Seconds without a change after which size and time of change tell one content from the next."""


def remembered_sha256(*paths: Path) -> str:
    """`lstmdrop.data.text.content_sha256`, reading a large file only when its size or its time has changed.

    Raises:
        DataError: a file is missing.
    """
    digests = [_sha256(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _sha256(path: Path) -> str:
    if not path.is_file() or path.stat().st_size < LARGE:
        return content_sha256(path)
    note = _note(path)
    if note.is_file():
        return note.read_text(encoding="ascii")
    digest = content_sha256(path)
    if time.time() - path.stat().st_mtime > SETTLED and note == _note(path):
        with atomic_file(note) as handle:
            handle.write(digest.encode())
    return digest


def _note(path: Path) -> Path:
    status = path.stat()
    state = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{status.st_ino}"
    return cache_dir() / "digests" / hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()[:32]
