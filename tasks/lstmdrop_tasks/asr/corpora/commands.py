"""The commands that a Kaldi folder may hold in place of sound files: what they write, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.spelling import is_file

SECONDS = 300.0
"""That a command may take."""

MOST_BYTES = 1 << 31
"""That it may write; a WAV file holds hardly more."""

POLL = 0.5
"""Seconds between looks at how much it has written."""


def sound_of(command: str, bases: Sequence[Path], *, allowed: bool) -> Path:
    """The file with what a command writes, run in the first of ``bases`` in which a file that it names is there.

    It is run again when a file that it names has changed.

    Raises:
        ValueError: commands are not ``allowed``; this one fails, writes nothing or too much, or takes too long.
    """
    if not allowed:
        raise ValueError(
            f"this recording is the output of a command, {command!r}; where you trust this data, run it: "
            "--allow-commands; or write its output to a file"
        )
    place, files = _inputs(command, bases)
    states = [f"{file} {(status := file.stat()).st_size} {status.st_mtime_ns}" for file in files]
    name = hashlib.sha256("\n".join([command, str(place.resolve()), *states]).encode()).hexdigest()[:32]
    sound = cache_dir() / "commands" / f"{name}.wav"
    if not sound.is_file():
        with atomic_file(sound) as output:
            _run(command, place, output)
            if output.tell() == 0:
                raise ValueError(f"the command {command!r} wrote no sound")
    return sound


def _inputs(command: str, bases: Sequence[Path]) -> tuple[Path, list[Path]]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"the command {command!r} cannot be read: {error}") from None
    for base in bases:
        files = [file for word in words if is_file(file := base / word)]
        if files:
            return base, files
    return bases[0], []


def _run(command: str, place: Path, output: BinaryIO) -> None:
    """In a shell, as Kaldi does: such commands have pipes of their own. It can read nothing from the terminal."""
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            command, shell=True, cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=told, start_new_session=True
        )
        try:
            _wait(process, command, output)
        finally:
            _end(process)
        if process.returncode:
            told.seek(0)
            lines = told.read().decode(errors="replace").strip().splitlines()
            reason = f": {lines[-1].strip()}" if lines else ""
            raise ValueError(f"the command {command!r} failed with exit code {process.returncode}{reason}")
    output.seek(0, os.SEEK_END)


def _wait(process: subprocess.Popen[bytes], command: str, output: BinaryIO) -> None:
    for _ in range(round(SECONDS / POLL)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            return
        if os.fstat(output.fileno()).st_size > MOST_BYTES:
            raise ValueError(f"the command {command!r} writes more than {MOST_BYTES / 2**30:g} GiB")
    raise ValueError(f"the command {command!r} took more than {SECONDS:g} s and was stopped")


def _end(process: subprocess.Popen[bytes]) -> None:
    """It, and what it has started."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
