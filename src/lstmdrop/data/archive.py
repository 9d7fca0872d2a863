"""Zip and tar archives that come from elsewhere: unpacked, or read where they are."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)


def unpack(archive: Path, folder: Path, *, root: str = "") -> None:
    """Write the files of an archive below ``folder``, each whole or not at all.

    ``root`` is a leading folder of the members' names that is left out.

    Raises:
        DataError: the archive is missing, damaged or of another kind, or a member would land elsewhere.
    """
    try:
        for name, content in _members(archive):
            with atomic_file(folder / _safe_path(archive, name, root)) as handle:
                shutil.copyfileobj(content, handle)
    except DAMAGE as error:
        raise damaged(archive, error) from None


@contextmanager
def open_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """One member of an archive as a stream, so that an archive larger than memory or disk can be read.

    Of a compressed tar archive, all that lies before the member is decompressed to reach it.

    Raises:
        DataError: the archive is missing, damaged (also if that shows only as the stream is read) or of another
            kind, or it has no such member.
    """
    try:
        for found, content in _members(archive):
            if found.removeprefix("./") == name:
                yield content
                return
    except DAMAGE as error:
        raise damaged(archive, error) from None
    raise DataError(f"{archive}: there is no {name!r} in it; it is not the published archive")


def damaged(archive: Path, error: Exception) -> DataError:
    """What to say of an archive that cannot be read to its end."""
    return DataError(f"{archive}: the archive is damaged ({error}); delete it and get it again")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if not archive.is_file():
        raise DataError(f"{archive}: no such archive")
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
    elif tarfile.is_tarfile(archive):
        yield from _tar_members(archive)
    else:
        raise DataError(f"{archive}: neither a zip nor a tar archive; delete it and get it again")


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as contents:
        for member in contents.infolist():
            if not member.is_dir():
                with contents.open(member) as content:
                    yield member.filename, content


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as contents:
        for member in contents:
            if member.isdir():
                continue
            content = contents.extractfile(member) if member.isfile() else None
            if content is None:
                raise DataError(f"{archive}: not unpacked, for {member.name!r} in it is a link or a device")
            yield member.name, content


def _safe_path(archive: Path, name: str, root: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise DataError(f"{archive}: not unpacked, for {name!r} in it would land outside the folder")
    return path.relative_to(root) if root and path.is_relative_to(root) else path
