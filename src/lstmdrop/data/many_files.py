"""Identity of many files by their content, read again only when one has changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lstmdrop.data.fingerprint import SETTLED, recall, remember
from lstmdrop.data.text import content_sha256
from lstmdrop.data.work_progress import report_work


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
