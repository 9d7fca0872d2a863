"""Arrays of numbers that somebody else has made, as NumPy files."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.data.spelling import is_file
from lstmdrop.errors import DataError

NPY, NPZ = b"\x93NUMPY", b"PK"
"""What each kind of file begins with."""

ENCRYPTED = 0x1
"""The bit of a zip member that says so."""


def read_array(path: Path, *, name: str | None = None) -> npt.NDArray[Any]:
    """The numbers of an ``.npy`` file, or those called ``name`` in an ``.npz`` file.

    The array has its own shape and type, holds one number at least, and single precision holds them all. What the
    header promises is compared with what is there before any memory is taken, and nothing is ever unpickled.

    Raises:
        DataError: the file is missing, damaged, encrypted or of another kind than its name says, or holds anything
            but finite numbers.
    """
    with _opened(path) as file:
        try:
            is_archive = path.suffix.lower() == ".npz"
            array = _member(file, name) if is_archive else _parsed(file, path.stat().st_size)
            _require_numbers(array)
        except Exception as error:  # damage makes NumPy's and zipfile's parsers raise nearly anything
            raise _unreadable(path, name, error) from None
    return array


def array_names(path: Path) -> list[str]:
    """What the arrays of an ``.npz`` file are called.

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    with _opened(path) as file:
        try:
            return [member.removesuffix(".npy") for member in zipfile.ZipFile(file).namelist()]
        except Exception as error:
            raise _unreadable(path, None, error) from None


def _opened(path: Path) -> BinaryIO:
    if not is_file(path):
        raise DataError(f"{path}: no such file")
    try:
        file = path.open("rb")
        start = file.read(len(NPY))
        file.seek(0)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    for magic, kind in ((NPY, ".npy"), (NPZ, ".npz")):
        if start.startswith(magic) and path.suffix.lower() != kind:
            file.close()
            raise DataError(f"{path}: by its content an {kind} file; name it so")
    return file


def _member(file: BinaryIO, name: str | None) -> npt.NDArray[Any]:
    with zipfile.ZipFile(file) as archive:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
        if name not in names:
            wanted = "one array is needed" if name is None else f"there is no {name!r}"
            raise ValueError(f"{wanted}; it has {', '.join(names) or 'nothing'}")
        info = archive.infolist()[names.index(name)]
        if info.flag_bits & ENCRYPTED:
            raise ValueError("it is encrypted")
        with archive.open(info) as member:
            _require_size(*_header(member), info.file_size)
        return _parsed(io.BytesIO(archive.read(info)), info.file_size)  # reading to the end compares the checksum


def _parsed(file: BinaryIO, size: int) -> npt.NDArray[Any]:
    _require_size(*_header(file), size)
    file.seek(0)
    array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _header(file: Any) -> tuple[int, int]:
    """Where the numbers begin, and how many bytes they are said to take."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never loaded; save numbers")
    return file.tell(), math.prod(shape) * dtype.itemsize


def _require_size(start: int, promised: int, size: int) -> None:
    if size - start != promised:
        raise ValueError(f"its header tells of {promised:,} bytes, and {size - start:,} follow")


def _require_numbers(array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"it holds {array.dtype} in place of numbers")
    if array.size == 0:
        raise ValueError(f"it is empty: its shape is {array.shape}")
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(np.float32))
    if not finite.all():
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise ValueError(f"{finite.size - int(finite.sum())} of its numbers are not finite, the first at {place}")


def _unreadable(path: Path, name: str | None, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
    where = f"{path}: {name}" if name else f"{path}"
    return DataError(f"{where}: not an {path.suffix.lower() or '.npy'} file that can be read ({reason})")
