from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lstmdrop.data import transfer
from lstmdrop.data.archive import unpack
from lstmdrop.data.download import download, is_whole, prepare, verify
from lstmdrop.data.registry import Dataset, DatasetFile
from lstmdrop.errors import DataError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the local web server serves, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    agents: set[str | None] = field(default_factory=set)


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            site.asked.append((self.path, asked))
            site.agents.add(self.headers["User-Agent"])
            content = site.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(re.findall(r"\d+", asked)[0]) if asked and site.ranges else 0
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: site.cut_after])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(files={"/data.bin": CONTENT})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(site)) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def file(site: Site) -> DatasetFile:
    return DatasetFile("data.bin", f"{site.url}/data.bin", sha256=SHA256, size=len(CONTENT))


def test_a_file_comes_whole_with_its_progress(file: DatasetFile, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    path = download(file, tmp_path / "new", lambda *progress: seen.append(progress))
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["data.bin"]
    assert seen[-1] == ("data.bin", len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_not_fetched_again(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(CONTENT)
    download(file, tmp_path)
    assert site.asked == []
    (tmp_path / "data.bin").write_bytes(b"something else")
    assert download(file, tmp_path).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    site.cut_after = 3000
    assert download(file, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.bin"]


def test_a_host_that_knows_no_ranges_starts_again(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:3000])
    site.ranges = False
    assert download(file, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more"])
def test_a_part_as_long_as_the_file_or_longer(file: DatasetFile, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "data.bin.part").write_bytes(part)
    assert download(file, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("known", [{"sha256": SHA256}, {"md5": hashlib.md5(CONTENT).hexdigest()}, {"size": 10240}])
def test_what_is_not_the_published_file_is_refused(site: Site, tmp_path: Path, known: dict[str, str]) -> None:
    file = DatasetFile("data.bin", f"{site.url}/data.bin", **known)  # type: ignore[arg-type]
    assert download(file, tmp_path / "right").exists()
    site.files["/data.bin"] = CONTENT[:-1]
    with pytest.raises(DataError, match=r"not the published one|and the published file"):
        download(file, tmp_path / "wrong")
    assert list((tmp_path / "wrong").iterdir()) == []


def test_a_mirror_stands_in_for_a_dead_address(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    dead = f"{site.url}/gone.bin"
    assert file.url is not None
    assert download(replace(file, url=dead, mirrors=(file.url,)), tmp_path).read_bytes() == CONTENT
    with pytest.raises(DataError, match=r"gone\.bin: 404 Not Found; .*other\.bin: 404 Not Found"):
        download(replace(file, url=dead, mirrors=(f"{site.url}/other.bin",)), tmp_path / "none")


def test_no_network_is_said_plainly(tmp_path: Path) -> None:
    file = DatasetFile("data.bin", "http://127.0.0.1:9/data.bin")
    with pytest.raises(DataError, match="refused") as caught:
        download(file, tmp_path)
    assert "get the file elsewhere and name its folder with --from" in str(caught.value)
    with pytest.raises(DataError, match="no address is known"):
        download(DatasetFile("data.bin"), tmp_path)


def test_the_program_names_itself(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    download(file, tmp_path)
    assert site.agents == {transfer.USER_AGENT}


def test_two_at_once_fetch_it_once(site: Site, file: DatasetFile, tmp_path: Path) -> None:
    threads = [threading.Thread(target=download, args=(file, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.asked) == 1
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            entry.linkname = "/etc/passwd"
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {"set/a.txt": b"a", "set/deep/b.txt": b"b", "README": b"r"}


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_archives_are_unpacked_without_their_root(tmp_path: Path, pack: object) -> None:
    (tmp_path / "archive").write_bytes(pack(MEMBERS))  # type: ignore[operator]
    unpack(tmp_path / "archive", tmp_path / "out", root="set")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"a.txt", "deep/b.txt", "README"}
    assert (tmp_path / "out" / "deep" / "b.txt").read_bytes() == b"b"


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "set/../../evil.txt", "..\\evil.txt"])
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_no_member_lands_outside(tmp_path: Path, pack: object, name: str) -> None:
    (tmp_path / "archive").write_bytes(pack({name: b"evil"}))  # type: ignore[operator]
    with pytest.raises(DataError, match="would land outside"):
        unpack(tmp_path / "archive", tmp_path / "out", root="set")
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_not_unpacked(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "archive").write_bytes(tar_of({"link": b""}, kind))
    with pytest.raises(DataError, match="a link or a device"):
        unpack(tmp_path / "archive", tmp_path / "out")


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    whole = zip_of({"a.txt": b"a" * 100})
    for content in (b"no archive", whole.replace(b"a" * 50, b"b" * 50), tar_of({"a": CONTENT * 9})[:-900]):
        (tmp_path / "archive").write_bytes(content)
        with pytest.raises(DataError, match=r"archive: .*get it again"):
            unpack(tmp_path / "archive", tmp_path / "out")
    with pytest.raises(DataError, match="no such archive"):
        unpack(tmp_path / "gone", tmp_path / "out")


@pytest.fixture
def dataset(site: Site, file: DatasetFile) -> Dataset:
    packed = zip_of({"toy-1.0/train.txt": b"text\n"})
    site.files["/toy.zip"] = packed
    return Dataset(
        name="toy",
        summary="a toy",
        task="lm",
        licence="none",
        files=(file, DatasetFile("train.txt", size=5)),
        archives=(DatasetFile("toy.zip", f"{site.url}/toy.zip", sha256=hashlib.sha256(packed).hexdigest()),),
        archive_root="toy-1.0",
    )


def test_preparing_downloads_and_unpacks_what_is_missing(site: Site, dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    assert [check.status for check in verify(dataset, folder)] == ["missing", "missing"]
    prepare(dataset, folder)
    assert verify(dataset, folder) == [("data.bin", "ok"), ("train.txt", "ok")]
    assert {path.name for path in folder.iterdir()} == {"data.bin", "train.txt"}
    num_asked = len(site.asked)
    prepare(dataset, folder)
    assert len(site.asked) == num_asked


def test_preparing_repairs_what_differs(dataset: Dataset, tmp_path: Path) -> None:
    prepare(dataset, tmp_path)
    (tmp_path / "data.bin").write_bytes(CONTENT[::-1])
    (tmp_path / "train.txt").write_bytes(b"longer text\n")
    assert [check.status for check in verify(dataset, tmp_path)] == ["differs", "differs"]
    prepare(dataset, tmp_path)
    assert [check.status for check in verify(dataset, tmp_path)] == ["ok", "ok"]


@pytest.mark.parametrize("packed", [True, False])
def test_preparing_from_a_folder_needs_no_network(site: Site, dataset: Dataset, tmp_path: Path, packed: bool) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "data.bin").write_bytes(CONTENT)
    if packed:
        (source / "toy.zip").write_bytes(site.files["/toy.zip"])
    else:
        (source / "train.txt").write_bytes(b"text\n")
    prepare(dataset, tmp_path / "toy", source=source)
    assert [check.status for check in verify(dataset, tmp_path / "toy")] == ["ok", "ok"]
    assert site.asked == []


def test_a_source_that_lacks_a_file_or_has_another_is_named(dataset: Dataset, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with pytest.raises(DataError, match=r"toy: cannot get data\.bin, train\.txt \(looked in .*source\)"):
        prepare(dataset, tmp_path / "toy", source=source)
    (source / "data.bin").write_bytes(b"another")
    with pytest.raises(DataError, match=r"source/data\.bin: this is not the published file"):
        prepare(dataset, tmp_path / "toy", source=source)


def test_a_dataset_has_its_name_once_it_is_whole_and_a_failure_leaves_nothing_but_what_was_downloaded(
    site: Site, dataset: Dataset, tmp_path: Path
) -> None:
    folder, source = tmp_path / "toy", tmp_path / "source"
    source.mkdir()
    (source / "data.bin").write_bytes(CONTENT)
    with pytest.raises(DataError, match=r"cannot get train\.txt"):
        prepare(dataset, folder, source=source)
    nowhere = replace(dataset, files=(DatasetFile("a.txt"),), archives=())
    with pytest.raises(DataError):
        prepare(nowhere, folder)
    assert list(tmp_path.iterdir()) == [source]
    whole = site.files.pop("/toy.zip")
    with pytest.raises(DataError, match=r"toy\.zip: the download failed"):
        prepare(dataset, folder)
    assert not folder.exists()
    with pytest.raises(DataError, match="cannot get"):
        prepare(dataset, folder, source=tmp_path / "source")  # what came over the network is not lost by that
    site.files["/toy.zip"] = whole
    num_asked = len(site.asked)
    prepare(dataset, folder)
    assert [path for path, _ in site.asked[num_asked:]] == ["/toy.zip"]  # the other file had come before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "toy"}


def test_a_dataset_is_whole_with_every_file_in_its_size(dataset: Dataset, tmp_path: Path) -> None:
    prepare(dataset, tmp_path / "toy")
    assert is_whole(dataset, tmp_path / "toy")
    (tmp_path / "toy/train.txt").write_bytes(b"tex")
    assert not is_whole(dataset, tmp_path / "toy")
    (tmp_path / "toy/train.txt").unlink()
    assert not is_whole(dataset, tmp_path / "toy")


def test_a_dataset_without_an_address_says_what_to_do(tmp_path: Path) -> None:
    dataset = Dataset("toy", "a toy", "lm", "none", files=(DatasetFile("a.txt"),), note="ask the authors for it")
    with pytest.raises(DataError, match="ask the authors for it"):
        prepare(dataset, tmp_path)
    with pytest.raises(DataError, match="lstmdrop data prepare toy --from FOLDER"):
        prepare(replace(dataset, note=None), tmp_path)
