"""A life whose disk refuses: files that may not grow, and a change of the disk that the system does not make."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import re
import resource
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from faults.life import live

REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = frozenset({"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.truncate", "os.rmdir"})
_RANDOM = re.compile(r"(?<=\.)[0-9a-f]{8}\b|[0-9a-f]{16,}")


class Change(NamedTuple):
    """One kind of change of the disk, and the how-manieth of it."""

    kind: str
    number: int


def live_on_quota(folder: Path, given: Sequence[Sequence[str]], num_bytes: int) -> None:
    """No file grows above so many bytes: the one that would ends there."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))
    live(folder, given)


def live_noting(folder: Path, given: Sequence[Sequence[str]], notes: Path) -> None:
    """Writes the kind of each change below the folder into a file, one a line."""
    kinds: list[str] = []
    _on_change(folder, kinds.append)
    live(folder, given)
    notes.write_text("".join(f"{kind}\n" for kind in kinds), encoding="utf-8")


def live_refused(folder: Path, given: Sequence[Sequence[str]], refused: Change, reason: int) -> None:
    """One change is refused for that reason (an ``errno``)."""
    seen = 0

    def refuse(kind: str) -> None:
        nonlocal seen
        seen += kind == refused.kind
        if seen == refused.number and kind == refused.kind:
            seen += 1
            raise OSError(reason, os.strerror(reason), str(folder / kind.partition(" ")[2]))

    _on_change(folder, refuse)
    live(folder, given)


def live_without_rights(folder: Path, given: Sequence[Sequence[str]]) -> None:
    """As a user to whom the permissions of files apply: root, who is above them, gives that up."""
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)  # see capset(2)
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")
    live(folder, given)


def live_back_in_time(folder: Path, given: Sequence[Sequence[str]]) -> None:
    """The clock goes back an hour whenever it is looked at."""
    hours = itertools.count()
    now = time.time
    time.time = lambda: now() - 3600 * next(hours)
    live(folder, given)


def _on_change(folder: Path, act: Any) -> None:
    """Before Python changes something below the folder, ``act`` is given what, without the random parts of names."""
    is_acting = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal is_acting
        if is_acting or event not in _CHANGES or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.fsdecode(arguments[1] if event in ("os.rename", "os.link") else arguments[0])).absolute()
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
            return
        name = _RANDOM.sub("*", path.relative_to(folder).as_posix()) if path.is_relative_to(folder) else ""
        if not name or name.startswith(("output-", "messages")):
            return
        is_acting = True
        try:
            act(f"{event.removeprefix('os.')} {name}")
        finally:
            is_acting = False

    sys.addaudithook(hook)
