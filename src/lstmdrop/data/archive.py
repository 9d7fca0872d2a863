"""Archives and compressed files that come from elsewhere: unpacked, or read where they are."""

from __future__ import annotations

import gzip
import importlib
import io
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError, loading

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


BLOCK_BYTES = 1 << 20
"""Bytes read at a time: large enough to be fast, small enough that a block's tokens stay in a few MiB."""

LONGEST_LINE = 1 << 28
"""Bytes of a line that is unpacked: a small file may unpack to a line that no memory holds."""

PACKED_ENDINGS = (".gz", ".zst", ".bz2", ".xz")
_MODULES = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}
_NO_TEXTS = {
    b"PK\x03\x04": "a zip archive: unpack it; of a spreadsheet, save the table as .csv",
    b"PAR1": 'Parquet: write it as JSON lines (pandas: read_parquet(...).to_json(..., orient="records", lines=True))',
}


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file as a stream; those of one that gzip, Zstandard, bzip2 or xz packed, unpacked on the way.

    The content tells, not the name, so that a packed text may have any. No more is in memory than what is read.

    Raises:
        DataError: it is damaged or cut off (also if that shows only as the stream is read), or a zip archive.
        MissingPartError: it is packed by Zstandard, and what unpacks it is not installed.
    """
    with io.BufferedReader(io.FileIO(path), BLOCK_BYTES) as packed:
        start = packed.peek(8)
        for magic, what in _NO_TEXTS.items():
            if start.startswith(magic):
                raise DataError(f"{path}: this is {what}")
        name = next((name for magic, name in _MODULES.items() if start.startswith(magic)), None)
        if name is None or (name == "bz2" and start[4:8] not in (b"1AY&", b"\x17rE8")):
            yield packed
            return
        module = packing(name)
        failures = (EOFError, zlib.error, *(getattr(module, name, EOFError) for name in ("LZMAError", "ZstdError")))
        try:
            with module.open(packed, "rb") as unpacked:
                yield _Lines(path, unpacked)
        except failures as error:
            raise damaged(path, error) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise damaged(path, error) from None


class _Lines(io.BufferedReader):
    """Lines cut in C, which what unpacks them does in Python, several times as slowly."""

    def __init__(self, path: Path, unpacked: Any) -> None:
        super().__init__(unpacked, BLOCK_BYTES)
        self._path = path

    def __next__(self) -> bytes:
        line = self.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise DataError(f"{self._path}: a line of it is longer than {LONGEST_LINE >> 20} MiB: this is no text")
        if not line:
            raise StopIteration
        return line


def packing(name: str) -> Any:
    """The module that unpacks: ``gzip``, ``bz2``, ``lzma`` or ``zstd``, which Python has from 3.14 on.

    Raises:
        MissingPartError: it is ``zstd``, and not installed.
    """
    if name != "zstd":
        return importlib.import_module(name)
    with loading("a text packed by Zstandard needs its library", "pip install 'lstmdrop[zst]'"):
        try:
            return importlib.import_module("compression.zstd")  # of Python 3.14
        except ModuleNotFoundError:
            return importlib.import_module("backports.zstd")


def unpacked_name(path: Path) -> Path:
    """The path without the ending that says how the file is packed."""
    return path.with_suffix("") if path.suffix.lower() in PACKED_ENDINGS else path
