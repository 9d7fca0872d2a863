from __future__ import annotations

import os
from pathlib import Path

import pytest

from lstmdrop.data import fingerprint
from lstmdrop.data.fingerprint import SETTLED, remembered_sha256
from lstmdrop.data.text import content_sha256
from lstmdrop.errors import DataError


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were read, with every file taken for a large one."""
    seen: list[Path] = []

    def count(path: Path) -> str:
        seen.append(path)
        return content_sha256(path)

    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprint, "LARGE", 1)
    monkeypatch.setattr(fingerprint, "content_sha256", count)
    return seen


def settle(path: Path, seconds: float = 10 * SETTLED) -> None:
    changed = path.stat().st_mtime - seconds
    os.utime(path, (changed, changed))


def test_files_differ_by_content_and_order_alone(tmp_path: Path) -> None:
    one, other, copy = (tmp_path / name for name in ("one", "other", "copy"))
    for path, content in ((one, b"1"), (other, b"2"), (copy, b"1")):
        path.write_bytes(content)
    assert remembered_sha256(one, other) == remembered_sha256(copy, other)
    assert len({remembered_sha256(*files) for files in ([one], [other], [one, other], [other, one], [])}) == 5


def test_a_settled_large_file_is_read_once(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"content")
    settle(path)
    assert remembered_sha256(path) == remembered_sha256(path)
    assert hashed == [path]


def test_a_changed_file_is_read_again(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"content")
    settle(path)
    first = remembered_sha256(path)
    path.write_bytes(b"another")
    assert remembered_sha256(path) != first
    settle(path, 5 * SETTLED)
    assert remembered_sha256(path) != first
    assert len(hashed) == 3


def test_a_change_under_the_old_time_and_size_is_seen(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"content")
    settle(path)
    first, status = remembered_sha256(path), path.stat()
    path.write_bytes(b"changed")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert remembered_sha256(path) != first


def test_of_a_file_that_may_still_be_written_nothing_is_remembered(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"content")
    remembered_sha256(path)
    remembered_sha256(path)
    assert hashed == [path, path]


def test_a_small_file_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "small").write_bytes(b"content")
    settle(tmp_path / "small")
    remembered_sha256(tmp_path / "small")
    assert not (tmp_path / "cache").exists()
    with pytest.raises(DataError, match="no such file"):
        remembered_sha256(tmp_path / "gone")
