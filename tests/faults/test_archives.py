"""Archives made to harm: nothing lands elsewhere, nothing grows beyond what an honest one has, and each is one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.notes import FaultMaker, times
from lstmdrop.data import archive as archive_module
from lstmdrop.data.archive import MANY, open_member, unpack
from lstmdrop.data.text import read_blocks, read_lines
from lstmdrop.errors import DataError

MIB = 1 << 20
SHARED_MEMORY = Path("/dev/shm")
MANY_BYTES = 8 * MIB
"""What a bomb unpacks to, where archives of a MiB and more are looked at."""


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, target: str = "/etc/passwd") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(content), kind, target
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def header(name: str, size: int, kind: bytes) -> bytes:
    """Of a tar archive, which says of what follows what it likes."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


def that_lies(size: int) -> bytes:
    """A zip archive of a bomb that is said to have so many bytes."""
    content = bytearray(zipped(("bomb", bytes(MANY_BYTES))))
    for start, place in ((content.index(b"PK\3\4"), 22), (content.index(b"PK\1\2"), 24)):
        content[start + place : start + place + 4] = struct.pack("<I", size)
    return bytes(content)


def overlapping() -> bytes:
    """A zip archive whose many members are the same bytes, as in the bombs of Fifield (2019)."""
    content = zipped(("bomb", bytes(4 * MIB)))
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entries = b"".join(content[start:end].replace(b"bomb", b"b%03d" % number) for number in range(50))
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack("<HH", 50, 50)
    tail[12:16] = struct.pack("<I", len(entries))
    return content[:start] + entries + bytes(tail)


LINKS = {
    "a symbolic link": tarfile.SYMTYPE, "a hard link": tarfile.LNKTYPE, "a pipe": tarfile.FIFOTYPE,
    "a character device": tarfile.CHRTYPE, "a block device": tarfile.BLKTYPE,
}  # fmt: skip
OUTSIDE = ["../evil", "/tmp/evil", "a/../../evil", "..", "..\\evil", "a/..\\..\\evil", "C:\\evil"]
TOO_MUCH = "its files take more than"
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    **{f"{name!r} in a zip archive": (lambda name=name: zipped((name, b"evil")), "outside") for name in OUTSIDE},  # type: ignore[misc]
    **{f"{name!r} in a tar archive": (lambda name=name: tarred((name, b"evil")), "outside") for name in OUTSIDE},  # type: ignore[misc]
    **{name: (lambda kind=kind: tarred(("x", b""), kind=kind), "link or a device") for name, kind in LINKS.items()},  # type: ignore[misc]
    "a link to the folder above, and a file through it": (
        lambda: tarred(("up", b""), kind=tarfile.SYMTYPE, target="..") [:512] + tarred(("up/evil", b"evil")),
        "link or a device",
    ),
    "a file where another needs a folder": (lambda: zipped(("a", b"x"), ("a/b", b"y")), "cannot be written|damaged"),
    "a name of 5,000 letters": (lambda: tarred(("x" * 5000, b"x")), "cannot be written"),
    "no name": (lambda: tarred((".", b"x")), "cannot be written"),
    "a zip bomb": (lambda: zipped(("bomb", bytes(MANY_BYTES))), TOO_MUCH),
    "a zip bomb of overlapping members": (overlapping, f"{TOO_MUCH}|damaged"),
    "a zip bomb that says it is small": (lambda: that_lies(10), "damaged"),
    "a tar bomb": (lambda: gzip.compress(tarred(("bomb", bytes(MANY_BYTES)))), TOO_MUCH),
    "a tar bomb packed twice as well": (lambda: lzma.compress(tarred(("bomb", bytes(MANY_BYTES)))), TOO_MUCH),
    "a tar archive that says it has an exabyte": (lambda: header("x", 1 << 60, tarfile.REGTYPE), TOO_MUCH),
    "a name that is said to have 8 GB": (
        lambda: gzip.compress(header("././@LongLink", 8_000_000_000, tarfile.GNUTYPE_LONGNAME) + bytes(MANY_BYTES)),
        "neither a zip nor a tar|a header of it",
    ),
    "a note that is said to have 8 GB": (
        lambda: gzip.compress(
            tarred(("a", b"x"))[:1024] + header("p", 8_000_000_000, tarfile.XHDTYPE) + bytes(MANY_BYTES)
        ),
        "a header of it",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is plenty is a MiB here, so that a bomb is made in no time."""
    monkeypatch.setattr(archive_module, "PLENTY", MIB)


def limited(act: Callable[[], object], seconds: float, num_bytes: int) -> None:
    """Do it within so much time and memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        act()
    finally:
        took, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert took < seconds
    assert peak < num_bytes


@pytest.mark.parametrize("case", CASES)
def test_nothing_lands_elsewhere_or_grows(tmp_path: Path, fault: FaultMaker, case: str) -> None:
    make, reason = CASES[case]
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    (folder / "archive").write_bytes(make())
    note = fault("archives", case, "one line; nothing outside of the folder, and no more than an honest one holds")

    def unpacked() -> None:
        with pytest.raises(DataError, match=reason) as caught:
            unpack(folder / "archive", folder / "out")
        assert len(str(caught.value).splitlines()) <= 2

    with note.one():
        limited(unpacked, 10, 20 * MIB)
        found = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
        assert all(path.is_relative_to(folder) and not path.is_symlink() for path in found)
        assert sum(path.stat().st_size for path in (folder / "out").rglob("*")) < 2 * MIB
        assert not Path("/tmp/evil").exists()


PACKED: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("line", [b"\0" * 100, b"x" * 99 + b"\n"], ids=["one line", "many lines"])
@pytest.mark.parametrize("packing", PACKED)
def test_a_packed_text_that_is_a_bomb_is_no_text(
    tmp_path: Path, fault: FaultMaker, packing: str, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "LONGEST_LINE", 4 * MIB)
    path = tmp_path / "a.txt"
    path.write_bytes(PACKED[packing](line * (MANY_BYTES // 100)))
    note = fault("archives", f"a text that {packing} packed 250 times", "one line, within a few MiB")
    readers: list[Callable[[Path], Iterator[str]]] = [read_lines, read_blocks]
    for read in readers:
        with note.one(read.__name__):

            def read_all(read: Callable[[Path], Iterator[str]] = read) -> None:
                with pytest.raises(DataError, match="this is no text"):
                    for _ in read(path):
                        pass

            limited(read_all, 10, 40 * MIB)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder that is no disk, where there is such a thing: a million files are hard on one."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_a_million_tiny_members(
    in_memory: Path, fault: FaultMaker, pack: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    most, kind = (1_000_000, "tar") if pack is tarred else (200_000, "zip")
    number = times(most, MANY + 10)
    monkeypatch.setattr(archive_module, "PLENTY", 1 << 30)
    note = fault("archives", f"{number:,} tiny files in a {kind} archive", "all are unpacked, in order")
    path = in_memory / f"{pack.__name__}-many"
    path.write_bytes(pack(*((f"{n % 1000}/{n}", b"x") for n in range(number))))
    with note.one():
        limited(
            lambda: unpack(path, in_memory / "out"),
            600 * number / 1e6 + 10,
            50 * MIB + number * (900 if pack is zipped else 0),
        )
        assert sum(1 for one in (in_memory / "out").rglob("*") if one.is_file()) == number
        with open_member(path, f"{(number - 1) % 1000}/{number - 1}") as content:
            assert content.read() == b"x"
