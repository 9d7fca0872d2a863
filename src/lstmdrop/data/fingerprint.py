"""Content hashes of large files, and of many small ones, computed once and remembered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.text import content_sha256
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError

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
    state = _state(path)
    digest = recall(state)
    if digest is None:
        digest = content_sha256(path)
        if time.time() - path.stat().st_mtime > SETTLED and state == _state(path):
            remember(state, digest)
    return digest


def recall(state: str) -> str | None:
    """The digest that was remembered of files in this state."""
    with suppress(OSError, DataError):  # what can be worked out needs no cache
        return _note(state).read_text(encoding="ascii")
    return None


def remember(state: str, digest: str) -> None:
    """Keep a digest for `recall`, where there is a cache that can be written."""
    with suppress(OSError, DataError), atomic_file(_note(state)) as handle:
        handle.write(digest.encode())


def _state(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{status.st_ctime_ns}\n{status.st_ino}"


def _note(state: str) -> Path:
    return cache_dir() / "digests" / hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()[:32]


def remembered_content(files: Sequence[Path], parts: Sequence[str] = ()) -> str:
    """Hash over ``parts`` and the contents of the files, in their order; a file may be missing.

    It is remembered for files whose sizes and times of change stay as they are; the system's own time of change too,
    which moves when a copy is given the times of another.
    """
    state = _states(files, parts)
    digest = recall(state)
    if digest is None:
        digest = hashlib.sha256("\n".join([*parts, *_contents(files)]).encode(errors="surrogateescape")).hexdigest()
        if _are_settled(files) and state == _states(files, parts):
            remember(state, digest)
    return digest


def _contents(files: Sequence[Path]) -> Iterator[str]:
    for number, path in enumerate(files):
        report_work("looking at files", number, len(files))
        yield content_sha256(path) if path.is_file() else "missing"
    report_work("looking at files", len(files), len(files))


def _states(files: Sequence[Path], parts: Sequence[str]) -> str:
    return "\n".join([*parts, *map(_file_state, files)])


def _file_state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path} missing"
    return f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _are_settled(files: Sequence[Path]) -> bool:
    newest = max((path.stat().st_mtime for path in files if path.is_file()), default=0.0)
    return time.time() - newest > SETTLED
