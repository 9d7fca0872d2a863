"""Archives and compressed files that come from elsewhere: unpacked, or read where they are."""

from __future__ import annotations

import errno
import gzip
import importlib
import io
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lstmdrop.data.atomic import atomic_file, sync_all
from lstmdrop.errors import DataError, loading

DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, ValueError,
    NotImplementedError, RuntimeError, LookupError, struct.error,
)  # fmt: skip
"""What the libraries raise of an archive that is damaged, encrypted or packed in a way that they do not know."""

NO_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)
"""Errors of the system that are about how a member is called: too long, or a folder where another has a file."""

PLENTY, MOST_EXPANSION = 1 << 30, 250
"""An archive may unpack to a GiB, and a larger one to so many times its size: text never packs as well."""

MANY = 1000
"""Files from which on they are brought to the disk together: one by one takes hours for a million."""

LONGEST_HEADER = 1 << 24
"""Bytes; names and notes about a file."""

MOST_MEMBERS = 3_000_000
"""Files of an archive; ImageNet has half of them."""


def unpack(archive: Path, folder: Path, *, root: str = "") -> None:
    """Write the files of an archive below ``folder``, each whole or not at all.

    ``root`` is a leading folder of the members' names that is left out. What the archive says of its members' sizes is
    summed up before they are written, and no member becomes larger than that.

    Raises:
        DataError: the archive is missing, damaged or of another kind, or a member would land elsewhere; it would unpack
            to more than an honest one, or than there is room for.
    """
    name, is_many, left = "", False, _most_bytes(archive, folder)
    try:
        for number, (name, size, content) in enumerate(_members(archive)):
            is_many = number >= MANY
            left -= size
            if left < 0:
                raise _too_large(archive, folder)
            with atomic_file(folder / _safe_path(archive, name, root), at_once=not is_many) as handle:
                shutil.copyfileobj(content, handle)
    except DAMAGE as error:
        raise damaged(archive, error) from None
    except OSError as error:
        if error.errno in NO_NAMES:
            raise DataError(f"{archive}: {name!r} in it cannot be written ({error.strerror})") from None
        raise
    if is_many:
        sync_all()


def _most_bytes(archive: Path, folder: Path) -> int:
    size = archive.stat().st_size if archive.is_file() else 0
    folder.mkdir(parents=True, exist_ok=True)
    return min(max(PLENTY, MOST_EXPANSION * size), shutil.disk_usage(folder).free)


def _too_large(archive: Path, folder: Path) -> DataError:
    most = _most_bytes(archive, folder)
    return DataError(
        f"{archive}: not unpacked to the end, for its files take more than {most / 1e9:.1f} GB\n"
        f"where it is honest, make room on the disk of {folder}, or unpack it yourself and name its folder with --from"
    )


@contextmanager
def open_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """One member of an archive as a stream, so that an archive larger than memory or disk can be read.

    Of a compressed tar archive, all that lies before the member is decompressed to reach it.

    Raises:
        DataError: the archive is missing, damaged (also if that shows only as the stream is read) or of another
            kind, or it has no such member.
    """
    try:
        for found, _, content in _members(archive):
            if found.removeprefix("./") == name:
                yield content
                return
    except DAMAGE as error:
        raise damaged(archive, error) from None
    raise DataError(f"{archive}: there is no {name!r} in it; it is not the published archive")


def damaged(archive: Path, error: Exception) -> DataError:
    """What to say of an archive that cannot be read to its end."""
    return DataError(f"{archive}: the archive is damaged ({error}); delete it and get it again")


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Each file of an archive: its name, the bytes that it is said to have, and those that are read, never more."""
    if not archive.is_file():
        raise DataError(f"{archive}: no such archive")
    with archive.open("rb") as file:  # a tar whose last file is a zip, such as an .npz, ends as a zip does
        is_zip = file.read(2) == b"PK" and zipfile.is_zipfile(archive)
    members = _zip_members(archive) if is_zip else _tar_members(archive)
    for number, member in enumerate(members):
        if number == MOST_MEMBERS:
            raise DataError(f"{archive}: it has more than {MOST_MEMBERS:,} files; unpack it yourself")
        yield member


def _zip_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as contents:
        for member in contents.infolist():
            if member.is_dir():
                continue
            try:
                content = contents.open(member)
            except OSError as error:  # it lies at no place that there is
                raise damaged(archive, error) from None
            with content:
                yield member.filename, member.file_size, content


def _tar_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with archive.open("rb") as file, _opened_tar(archive, file) as contents:
        while (member := contents.next()) is not None:
            contents.members.clear()  # type: ignore[attr-defined]  # it would keep each one
            if member.isdir():
                continue
            content = contents.extractfile(member) if member.isfile() else None
            if content is None:
                raise DataError(f"{archive}: not unpacked, for {member.name!r} in it is a link or a device")
            yield member.name, member.size, content


def _opened_tar(archive: Path, file: IO[bytes]) -> tarfile.TarFile:
    try:
        return _Tar.open(fileobj=file)
    except tarfile.ReadError:
        raise DataError(f"{archive}: neither a zip nor a tar archive; delete it and get it again") from None


class _Tar(tarfile.TarFile):
    """One whose headers are as long as headers are: some kinds are read whole, however long they say they are."""

    def __init__(self, name: Any = None, mode: Any = "r", fileobj: Any = None, **options: Any) -> None:
        pieces: Any = _InPieces(fileobj)
        super().__init__(name, mode, pieces, **options)


class _InPieces:
    """A file of which nobody reads much at a time."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        if size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of it has {size:,} bytes")
        content: bytes = self._file.read(size)
        return content


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
    b"PAR1": "Parquet: as a corpus it is to be named .parquet; of lines, write it as JSON lines (pandas: "
    'read_parquet(...).to_json(..., orient="records", lines=True))',
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
        name = _packing_of(start)
        if name is None:
            yield packed
            return
        module = packing(name)
        failures = (EOFError, zlib.error, *(getattr(module, name, EOFError) for name in ("LZMAError", "ZstdError")))
        try:
            with module.open(packed, "rb") as unpacked:
                yield _Lines(path, _Bounded(path, packed, unpacked))
        except failures as error:
            raise damaged(path, error) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise damaged(path, error) from None


class _Bounded(io.RawIOBase):
    """What is unpacked, as long as it is not many times more than what it comes of."""

    def __init__(self, path: Path, packed: IO[bytes], unpacked: Any) -> None:
        self._path, self._packed, self._unpacked = path, packed, unpacked
        self._number = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._unpacked.read(len(buffer))
        buffer[: len(block)] = block
        self._number += len(block)
        if self._number > PLENTY and self._packed.seekable() and self._number > MOST_EXPANSION * self._packed.tell():
            raise DataError(f"{self._path}: it unpacks to {MOST_EXPANSION} times its size: this is no text")
        return len(block)


def is_packed(path: Path) -> bool:
    """Whether the content is of a kind that `open_unpacked` unpacks, so that it can only be read from its start."""
    with path.open("rb") as file:
        return _packing_of(file.read(8)) is not None


def _packing_of(start: bytes) -> str | None:
    name = next((name for magic, name in _MODULES.items() if start.startswith(magic)), None)
    return None if name == "bz2" and start[4:8] not in (b"1AY&", b"\x17rE8") else name


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
