from __future__ import annotations

import os
from pathlib import Path

import pytest

from lstmdrop.data.fingerprint import SETTLED, remembered_content
from lstmdrop.data.text import content_sha256


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were read."""
    seen: list[Path] = []

    def count(path: Path) -> str:
        seen.append(path)
        return content_sha256(path)

    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lstmdrop.data.fingerprint.content_sha256", count)
    return seen


def write(folder: Path, *contents: str) -> list[Path]:
    """Files that nobody has changed for a while."""
    files = [folder / f"file{number}" for number in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_text(content)
        changed = path.stat().st_mtime - 10 * SETTLED
        os.utime(path, (changed, changed))
    return files


def test_content_order_parts_and_absence_make_the_identity(tmp_path: Path, hashed: list[Path]) -> None:
    one, two = write(tmp_path, "one", "two")
    gone = tmp_path / "gone"
    found = [
        remembered_content(files, parts)
        for files, parts in (
            ([one, two], []), ([two, one], []), ([one], []), ([one, gone], []), ([one], ["a"]), ([one], ["a", "b"])
        )
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    copy = tmp_path / "copy"
    copy.write_text("one")
    assert remembered_content([copy, two]) == found[0]


def test_settled_files_are_read_once(tmp_path: Path, hashed: list[Path]) -> None:
    files = write(tmp_path, "one", "two")
    assert remembered_content(files) == remembered_content(files)
    assert hashed == files


def test_one_that_changed_is_read_again(tmp_path: Path, hashed: list[Path]) -> None:
    files = write(tmp_path, "one", "two")
    before = remembered_content(files)
    files[1].write_text("six")
    assert remembered_content(files) != before
    assert remembered_content(files) != before  # it may still be written: nothing was remembered
    assert hashed == files * 3


def test_one_that_changed_under_its_old_time_and_size_is_read_again(tmp_path: Path, hashed: list[Path]) -> None:
    files = write(tmp_path, "one", "two")
    before, status = remembered_content(files), files[1].stat()
    files[1].write_text("six")
    os.utime(files[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert remembered_content(files) != before


def test_one_that_comes_or_goes_is_seen(tmp_path: Path, hashed: list[Path]) -> None:
    files = write(tmp_path, "one", "two")
    before = remembered_content(files)
    files[1].unlink()
    assert remembered_content(files) != before
    write(tmp_path, "one", "two")
    assert remembered_content(files) == before
