"""Laws of files and folders that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.data.atomic import (
    TakenError,
    atomic_file,
    atomic_folder,
    claimed,
    locked,
    new_folder,
    resumable_folder,
)
from lstmdrop.errors import DataError, LstmdropError

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="the system has no locks on folders")


def content(folder: Path) -> dict[str, str]:
    """All that lies below, hidden files too."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "folder" for path in folder.rglob("*")
    }


class FailureError(Exception):
    pass


def test_a_file_takes_its_name_only_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    with atomic_file(path) as handle:
        handle.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with atomic_file(path) as handle:
        handle.write(b"second")
        handle.flush()
        assert path.read_bytes() == b"first"
    assert content(path.parent) == {"file": "second"}


def half_written(path: Path, failure: type[BaseException]) -> None:
    with atomic_file(path) as handle:
        handle.write(b"half")
        raise failure


@pytest.mark.parametrize("failure", [FailureError, KeyboardInterrupt, OSError])
def test_a_file_that_fails_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    for target in (path, tmp_path / "other"):
        with pytest.raises(failure):
            half_written(target, failure)
    assert content(tmp_path) == {"file": "old"}


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write(b"one" * 100)
        other.write(b"other")
    assert content(tmp_path) == {"file": "one" * 100}  # which ended last


FOLDERS = pytest.mark.parametrize("make", [atomic_folder, new_folder, resumable_folder])
WITHOUT_WAITING = pytest.mark.parametrize("make", [atomic_folder, new_folder])
Make = Callable[[Path], AbstractContextManager[Any]]


def half_made(make: Make, path: Path, failure: type[BaseException]) -> list[str]:
    """Fails while a folder is made; gives the names that it found in there."""
    found: list[str] = []

    def fail() -> None:
        with make(path) as temporary:
            found.extend(each.name for each in temporary.iterdir())
            (temporary / "a").write_text("1")
            raise failure("no")

    with pytest.raises(failure):
        fail()
    return found


@FOLDERS
def test_a_folder_takes_its_name_only_when_all_of_it_is_there(tmp_path: Path, make: Make) -> None:
    target = tmp_path / "deep" / "folder"
    with make(target) as temporary:
        assert temporary.parent == target.parent  # so that it can be renamed
        (temporary / "a").write_text("1")
        (temporary / "b").write_text("2")
        assert not target.exists()
    assert content(target.parent) == {"folder": "folder", "folder/a": "1", "folder/b": "2"}


@FOLDERS
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, make: Make) -> None:
    half_made(make, tmp_path / "folder", LstmdropError)
    assert content(tmp_path) == {}


@WITHOUT_WAITING
def test_an_empty_folder_of_that_name_gives_way(tmp_path: Path, make: Make) -> None:
    (tmp_path / "folder").mkdir()
    with make(tmp_path / "folder") as temporary:
        (temporary / "a").write_text("1")
    assert content(tmp_path / "folder") == {"a": "1"}


@WITHOUT_WAITING
def test_of_two_that_make_a_folder_the_first_stays(tmp_path: Path, make: Make) -> None:
    """Where its name determines what is in it, nobody need know; else the second is told."""
    target = tmp_path / "folder"

    def second() -> None:
        with make(target) as temporary:
            (temporary / "a").write_text("second")
            target.mkdir()
            (target / "a").write_text("first")

    if make is new_folder:
        with pytest.raises(TakenError, match="folder was filled by another process meanwhile"):
            second()
    else:
        second()
    assert content(tmp_path) == {"folder": "folder", "folder/a": "first"}


@FOLDERS
def test_a_file_in_the_folders_place_is_an_error_and_stays(tmp_path: Path, make: Make) -> None:
    (tmp_path / "folder").write_text("mine")
    with pytest.raises(OSError, match="folder"), make(tmp_path / "folder") as temporary:
        (temporary / "a").write_text("1")
    assert (tmp_path / "folder").read_text() == "mine"


def test_a_relative_folder_is_put_where_it_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "begun").mkdir()
    monkeypatch.chdir(tmp_path / "begun")
    with new_folder(Path("folder")) as temporary:
        monkeypatch.chdir(tmp_path)
        (temporary / "a").write_text("1")
    assert content(tmp_path) == {"begun": "folder", "begun/folder": "folder", "begun/folder/a": "1"}


@needs_locks
def test_what_an_interruption_left_is_found_again_and_what_was_refused_is_not(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for error, left in ((KeyboardInterrupt, ["a"]), (FailureError, ["a"]), (DataError, [])):
        half_made(resumable_folder, target, error)
        assert not target.exists()
        assert half_made(resumable_folder, target, KeyboardInterrupt) == left
    with resumable_folder(target) as unfinished:
        assert unfinished is not None
        (unfinished / "b").write_text("2")
    assert content(tmp_path) == {"folder": "folder", "folder/a": "1", "folder/b": "2"}


@needs_locks
def test_who_waited_for_a_folder_finds_it_made(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with resumable_folder(tmp_path / "folder") as unfinished:
        assert unfinished is None
    assert content(tmp_path) == {"folder": "folder"}


@needs_locks
def test_a_folder_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    with claimed(tmp_path):
        with pytest.raises(TakenError, match=f"{tmp_path} is in use by another process"), claimed(tmp_path):
            pass
        with claimed(tmp_path.parent):  # another folder is another claim
            pass
    with claimed(tmp_path), pytest.raises(TakenError), claimed(tmp_path):
        pass


@needs_locks
def test_a_claim_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(FailureError), claimed(tmp_path):
        raise FailureError
    with locked(tmp_path) as is_locked:
        assert is_locked is True
    with pytest.raises(FailureError), locked(tmp_path):
        raise FailureError
    with claimed(tmp_path):
        pass


HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@needs_locks
def test_a_claim_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TakenError), claimed(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with claimed(tmp_path):
            pass


@needs_locks
@pytest.mark.parametrize("lock", [locked, claimed])
def test_a_file_system_without_locks_makes_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[[Path], AbstractContextManager[bool | None]]
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock(tmp_path) as one, lock(tmp_path) as other:
        assert one is other
        assert not one
    with resumable_folder(tmp_path / "folder") as temporary:  # of which an interruption would leave nothing
        assert temporary is not None
        (temporary / "a").write_text("1")
        assert ".unfinished" not in temporary.name
    assert content(tmp_path) == {"folder": "folder", "folder/a": "1"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_under_the_cache_says_how_to_choose_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    for make in (atomic_file, atomic_folder):
        for place, error in ((tmp_path / "cache" / "x", DataError), (tmp_path / "x", OSError)):
            with pytest.raises(error, match=os.strerror(code)) as raised, make(place):
                raise OSError(code, os.strerror(code))
            assert ("set LSTMDROP_CACHE" in str(raised.value)) == (error is DataError)
    assert not any(path.name.startswith((".x", "x")) for path in tmp_path.rglob("*"))
