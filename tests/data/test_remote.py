"""Data at addresses: fetched once, noticed when it changes, and used as it was where it cannot be reached."""

from __future__ import annotations

import functools
import gzip
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lstmdrop.data.remote import is_address, local_place
from lstmdrop.data.rows import matching_files
from lstmdrop.errors import DataError, MissingPartError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for number in range(3):
        system.pipe(f"/texts/part{number}.txt.gz", gzip.compress(f"part {number}\n".encode()))
    system.pipe("/texts/train/one.txt", b"one\n")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("s3://bucket/texts", True), ("hf://datasets/x/y/*.parquet", True), ("https://host/a.txt", True),
        ("simplecache::s3://bucket/a", True), ("texts/a.txt", False), ("C:\\texts", False), ("c:/texts", False),
        ("demo", False), ("~/texts/*.gz", False),
    ],
)  # fmt: skip
def test_an_address_is_told_from_a_path(data: str, expected: bool) -> None:
    assert is_address(data) == expected


def test_a_file_a_pattern_and_a_folder_are_files_here(memory: Any) -> None:
    file = local_place("memory://texts/part1.txt.gz")
    assert (file.name, gzip.decompress(file.read_bytes())) == ("part1.txt.gz", b"part 1\n")
    found = matching_files(local_place("memory://texts/*.gz"))
    assert [path.name for path in found] == ["part0.txt.gz", "part1.txt.gz", "part2.txt.gz"]
    for address in ("memory://texts", "memory://texts/"):
        folder = local_place(address)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert names == {"part0.txt.gz", "part1.txt.gz", "part2.txt.gz", "train/one.txt"}


@pytest.mark.parametrize("address", ["memory://texts", "memory://texts/*"])
def test_the_mark_of_a_folder_is_no_file(memory: Any, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    expected = len(matching_files(local_place("memory://texts/*.gz")))
    for name in ("find", "glob"):
        plain = getattr(type(memory), name)

        def with_mark(self: Any, *some: Any, plain: Any = plain, **named: Any) -> Any:
            return {"/texts/": {"name": "/texts/", "type": "file", "size": 0}, **plain(self, *some, **named)}

        monkeypatch.setattr(type(memory), name, with_mark)
    place = local_place(address)
    assert len(matching_files(place / "*.gz" if place.is_dir() else place)) == expected


def test_a_file_is_fetched_once_and_again_when_it_has_changed(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    plain = type(memory).get_file

    def counted(self: Any, path: str, *rest: Any, **named: Any) -> Any:
        fetched.append(path)
        return plain(self, path, *rest, **named)

    monkeypatch.setattr(type(memory), "get_file", counted)
    first = local_place("memory://texts/*.gz")
    assert len(fetched) == 3
    assert local_place("memory://texts/*.gz") == first
    assert len(fetched) == 3
    memory.pipe("/texts/part1.txt.gz", gzip.compress(b"part 9\n"))  # as long as before
    second = local_place("memory://texts/*.gz")
    assert second != first
    assert fetched[3:] == ["/texts/part1.txt.gz"]
    assert [gzip.decompress(path.read_bytes()) for path in matching_files(second)][1] == b"part 9\n"
    assert [gzip.decompress(path.read_bytes()) for path in matching_files(first)][1] == b"part 1\n"


def test_what_comes_in_part_is_refused_and_the_rest_is_kept(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = type(memory).get_file

    def cut_off(self: Any, path: str, local: str, **named: Any) -> None:
        plain(self, path, local, **named)
        if "part2" in path:
            Path(local).write_bytes(Path(local).read_bytes()[:-1])

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "get_file", cut_off)
        with pytest.raises(DataError, match=r"/texts/part2\.txt\.gz: \d+ bytes came, and there are to be \d+"):
            local_place("memory://texts/*.gz")
    assert len(matching_files(local_place("memory://texts/*.gz"))) == 3


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("memory://none/*.txt", r"memory://none/\*\.txt: there is no such file"),
        ("memory://none", r"memory://none: cannot be read \(FileNotFoundError: /none\)"),
        ("none://none", r"none://none: Protocol not known: none; known: "),
        ("http://127.0.0.1:9/a.txt", r"http://127\.0\.0\.1:9/a\.txt: cannot be read \(Client\w+: Cannot connect"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(memory: Any, address: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}.*$"):
        local_place(address)


def test_a_part_that_is_not_installed_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingPartError, match=r"s3:// need more .*\npip install 'lstmdrop\[remote\]'"):
        local_place("s3://bucket/a.txt")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, ThreadingHTTPServer]]:
    folder = tmp_path / "served"
    folder.mkdir()
    for number in range(2):
        (folder / f"part{number}.txt").write_text(f"part {number}\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}", server
        server.shutdown()


def test_texts_come_by_http(served: tuple[Path, str, ThreadingHTTPServer], caplog: pytest.LogCaptureFixture) -> None:
    folder, address, server = served
    assert local_place(f"{address}/part1.txt?download=1").read_text() == "part 1\n"
    for pattern in (f"{address}/*.txt", f"{address}/part*.txt"):
        assert [path.read_text() for path in matching_files(local_place(pattern))] == ["part 0\n", "part 1\n"]
    assert {path.name for path in local_place(f"{address}/").iterdir()} == {"part0.txt", "part1.txt"}
    (folder / "part0.txt").write_text("part 00\n")
    before = local_place(f"{address}/*.txt")
    assert next(iter(matching_files(before))).read_text() == "part 00\n"
    with pytest.raises(DataError, match=r"none\.txt: cannot be read \(ClientResponseError: 404"):
        local_place(f"{address}/none.txt")
    server.shutdown()
    server.server_close()
    caplog.clear()
    assert local_place(f"{address}/*.txt") == before
    assert "cannot be reached" in caplog.text
    assert "going on with what was fetched before" in caplog.text
