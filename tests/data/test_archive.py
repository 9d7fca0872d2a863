from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from lstmdrop.data.archive import open_member, unpack
from lstmdrop.errors import DataError

MEMBERS = {"set/a.txt": b"first\n", "set/b.txt": bytes(range(256)) * 999}


def write_archive(path: Path, prefix: str = "") -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in MEMBERS.items():
                archive.writestr(prefix + name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        archive.addfile(tarfile.TarInfo(prefix or "set/"))
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tgz"])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_member_is_read_where_it_is(tmp_path: Path, name: str, prefix: str) -> None:
    archive = write_archive(tmp_path / name, prefix)
    for member, content in MEMBERS.items():
        with open_member(archive, member) as stream:
            assert stream.read() == content
    assert list(tmp_path.iterdir()) == [archive]


def test_two_members_are_read_side_by_side(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "set.tgz")
    with open_member(archive, "set/b.txt") as one, open_member(archive, "set/b.txt") as other:
        assert [one.read(100), other.read(50), one.read(100)] == [
            MEMBERS["set/b.txt"][:100],
            MEMBERS["set/b.txt"][:50],
            MEMBERS["set/b.txt"][100:200],
        ]


def test_a_member_that_is_not_there_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "set.tgz")
    with pytest.raises(DataError, match=r"set\.tgz: there is no 'set/c\.txt' in it"), open_member(archive, "set/c.txt"):
        pass
    with pytest.raises(DataError, match="no such archive"), open_member(tmp_path / "gone.tgz", "set/c.txt"):
        pass


def test_damage_that_shows_only_as_the_member_is_read_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "set.tgz")
    archive.write_bytes(archive.read_bytes()[:-100])
    damaged = pytest.raises(DataError, match=r"set\.tgz: the archive is damaged")
    with damaged, open_member(archive, "set/b.txt") as stream:
        stream.read()


def test_a_tar_whose_last_file_is_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_archive(tmp_path / "inner.zip")
    with tarfile.open(tmp_path / "outer.tar", "w") as archive:
        archive.add(inner, "inner.zip")
    unpack(tmp_path / "outer.tar", tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["inner.zip"]
    assert (tmp_path / "unpacked" / "inner.zip").read_bytes() == inner.read_bytes()
