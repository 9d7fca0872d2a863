"""Files and folders that appear whole or not at all, and folders that one process has to itself."""

from __future__ import annotations

import errno
import importlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lstmdrop.data.registry import NO_ROOM, cache_problem
from lstmdrop.errors import LstmdropError, ProcessError

fcntl: Any
try:
    fcntl = importlib.import_module("fcntl")
except ImportError:  # Windows has no such locks
    fcntl = None


class TakenError(LstmdropError):
    """A folder has come to be where one was to be made."""


@contextmanager
def atomic_file(path: Path, *, at_once: bool = True) -> Iterator[BinaryIO]:
    """A file to write; it takes its name, even from another file, when the block ends without an error.

    It lies on the disk by then, unless that is put off: who writes very many files calls `sync_all` after the last.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        try:
            with temporary.open("xb") as handle:
                yield handle
                handle.flush()
                if at_once:
                    os.fsync(handle.fileno())
            temporary.replace(path)
            if at_once:
                _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill with files; it takes its name only when the block ends without an error.

    If another process makes the same folder first, theirs stays and this one is dropped: use it for content
    that its name determines.
    """
    try:
        with new_folder(path) as temporary:
            yield temporary
    except TakenError:
        pass


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """As `atomic_folder`, for content of which its name says nothing; an empty folder of that name gives way.

    Raises:
        TakenError: another process filled a folder of that name meanwhile.
    """
    path = path.resolve()
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        temporary.mkdir()
        try:
            yield temporary
            _put(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def resumable_folder(path: Path) -> Iterator[Path | None]:
    """As `atomic_folder`, but the block finds what an interrupted one has left, and None if all is there by now.

    One process at a time is in such a block; where folders cannot be locked, nothing is left and nothing found.
    """
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.unfinished")
    with naming(path):
        unfinished.mkdir(parents=True, exist_ok=True)
        with locked(unfinished) as is_locked:
            if path.is_dir():  # made while this process waited
                yield None
            elif not is_locked:
                with atomic_folder(path) as temporary:
                    yield temporary
            else:
                try:
                    yield unfinished
                except ProcessError:
                    raise
                except LstmdropError:
                    shutil.rmtree(unfinished, ignore_errors=True)
                    raise
                _put(unfinished, path)
        if unfinished.is_dir() and not any(unfinished.iterdir()):
            unfinished.rmdir()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Around what writes a file: an error of the system that names none names it, and one about the cache a way out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in (*NO_ROOM, errno.EIO):
            error.filename = str(path)
        raise cache_problem(error, path) or error from None


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Of the processes of this machine that come to such a block for the folder, one at a time is in it.

    The lock ends with the process. Where the system or the file system has none, nobody waits, and False is given.
    """
    with _descriptor(folder) as descriptor:
        yield descriptor is not None and _lock(descriptor, fcntl.LOCK_EX)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """As `locked`, but without waiting.

    Raises:
        TakenError: another process is in such a block.
    """
    with _descriptor(folder) as descriptor:
        try:
            if descriptor is not None:
                _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TakenError(f"{folder} is in use by another process") from None
        yield


def _lock(descriptor: int, flags: int) -> bool:
    try:
        fcntl.flock(descriptor, flags)
    except BlockingIOError:
        raise
    except OSError:
        return False  # some network file systems have no locks
    return True


@contextmanager
def _descriptor(folder: Path) -> Iterator[int | None]:
    """None where folders cannot be opened, which is where there is no ``fcntl`` either."""
    if fcntl is None:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _temporary_name(path: Path) -> Path:
    # Beside its target, for a name can only be changed within one file system.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _put(temporary: Path, path: Path) -> None:
    """Under its name, once all of it is on the disk."""
    for file in temporary.iterdir():
        _sync(file)
    _sync(temporary)
    _claim(temporary, path)
    _sync(path.parent)


def _claim(temporary: Path, path: Path) -> None:
    try:
        temporary.rename(path)
    except OSError:
        if path.is_dir() and any(path.iterdir()):
            raise TakenError(f"{path} was filled by another process meanwhile") from None
        raise


def _sync(path: Path) -> None:
    with _descriptor(path) as descriptor:
        if descriptor is not None:
            os.fsync(descriptor)


def sync_all() -> None:
    """Wait until all that was written lies on the disk."""
    if hasattr(os, "sync"):
        os.sync()


def duplicate(source: Path, target: Path) -> None:
    """Put a file in another's place, without writing it anew where the file system can; no half of it is ever there."""
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)
