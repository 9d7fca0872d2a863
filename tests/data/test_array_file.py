from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from lstmdrop.data.array_file import array_names, read_array
from lstmdrop.errors import DataError

GOOD = np.arange(6, dtype=np.float32).reshape(2, 3)


def npy(array: object, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)  # type: ignore[arg-type]
    return file.getvalue()


def npz(content: bytes, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("vector.npy", content)
    return file.getvalue()


def encrypted(archive: bytes) -> bytes:
    """With the bit set that says so, in both headers."""
    local, central = archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8
    changed = bytearray(archive)
    changed[local] |= 1
    changed[central] |= 1
    return bytes(changed)


def test_arrays_come_back_as_they_were_saved(tmp_path: Path) -> None:
    for number, array in enumerate([GOOD, GOOD.astype(">f8"), np.asfortranarray(GOOD), GOOD.astype(np.uint8)]):
        path = tmp_path / f"{number}.npy"
        np.save(path, array)
        assert read_array(path).tolist() == array.tolist()
    np.savez_compressed(tmp_path / "two.npz", vector=GOOD[0], map=GOOD)
    assert array_names(tmp_path / "two.npz") == ["vector", "map"]
    assert read_array(tmp_path / "two.npz", name="map").tolist() == GOOD.tolist()


HUGE = npy(GOOD).replace(b"(2, 3)", b"(9999999999, 99999)", 1).replace(b" " * 13 + b"\n", b"\n", 1)

BAD: dict[str, tuple[str, bytes, str]] = {
    "empty file": ("a.npy", b"", "not an .npy file"),
    "text": ("a.npy", b"hello", "not an .npy file"),
    "cut": ("a.npy", npy(GOOD)[:-3], "its header tells of 24 bytes, and 21 follow"),
    "too long": ("a.npy", npy(GOOD) + npy(GOOD), "its header tells of 24 bytes"),
    "huge": ("a.npy", HUGE, "its header tells of 3,999,959,999,600,004 bytes, and 24 follow"),
    "huge in a zip": ("a.npz", npz(HUGE), "its header tells of"),
    "bad header": ("a.npy", npy(GOOD).replace(b"'descr'", b"'de\xff\xffr'"), "not an .npy file"),
    "negative": ("a.npy", npy(GOOD).replace(b"(2, 3)", b"(-2,3)"), "not an .npy file"),
    "pickle": ("a.npy", npy(np.array([{}], object), allow_pickle=True), "pickled objects"),
    "pickle in a zip": ("a.npz", npz(npy(np.array([{}], object), allow_pickle=True)), "pickled objects"),
    "bare pickle": ("a.npy", b"\x80\x04\x95", "not an .npy file"),
    "strings": ("a.npy", npy(np.array(["a"])), "it holds <U1 in place of numbers"),
    "complex": ("a.npy", npy(GOOD.astype(complex)), "complex128 in place of numbers"),
    "no numbers": ("a.npy", npy(GOOD[:0]), r"its shape is \(0, 3\)"),
    "not finite": ("a.npy", npy(np.where(GOOD == 4, np.nan, GOOD)), r"1 of its numbers are not finite.* \(1, 1\)"),
    "beyond single precision": ("a.npy", npy(GOOD.astype(float) * 1e300), "not finite"),
    "npz named npy": ("a.npy", npz(npy(GOOD)), "by its content an .npz file; name it so"),
    "npy named npz": ("a.npz", npy(GOOD), "by its content an .npy file; name it so"),
    "cut zip": ("a.npz", npz(npy(GOOD))[:-30], "not an .npz file"),
    "encrypted": ("a.npz", encrypted(npz(npy(GOOD))), "it is encrypted"),
    "damaged member": ("a.npz", npz(npy(GOOD), method=zipfile.ZIP_STORED).replace(GOOD.tobytes(), bytes(24)), "CRC"),
    "another name": ("a.npz", npz(npy(GOOD)).replace(b"vector", b"victor"), "there is no 'vector'; it has victor"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_array_of_numbers_is_named_and_said(tmp_path: Path, kind: str) -> None:
    name, content, reason = BAD[kind]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as raised:
        read_array(path, name="vector" if path.suffix == ".npz" else None)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_any_flipped_byte_of_an_archive_is_read_as_saved_or_refused(tmp_path: Path) -> None:
    whole = npz(npy(GOOD))
    path = tmp_path / "a.npz"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(DataError):
            assert read_array(path, name="vector").tolist() == GOOD.tolist()


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.npy", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_array(path)
