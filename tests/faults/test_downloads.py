"""Downloads from a host that misbehaves in every way that is known of hosts: the published bytes come, or one line."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faults.notes import FaultMaker, times
from lstmdrop.data import transfer
from lstmdrop.data.download import download, prepare, verify
from lstmdrop.data.registry import Dataset, DatasetFile
from lstmdrop.errors import DataError

CONTENT = random.Random(1).randbytes(50_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<!DOCTYPE html><html><body>The file has moved</body></html>"


class Request(BaseHTTPRequestHandler):
    """One request: how often this path was asked for before, and what it is answered by ``FAULTS``."""

    number = 0
    counts: dict[str, int]

    def do_GET(self) -> None:
        self.number = self.counts[self.path] = self.counts.get(self.path, 0) + 1
        name = self.path.strip("/").partition("/")[0]
        with suppress(BrokenPipeError, ConnectionResetError):
            ANSWERS[name](self)

    @property
    def start(self) -> int:
        asked = re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
        return int(asked[1]) if asked else 0

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def whole(self) -> None:
        if self.start:
            place = f"bytes {self.start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(206, CONTENT[self.start :], Content_Range=place)
        else:
            self.answer(200, CONTENT)

    def announce(self, length: int) -> None:
        self.send_response(206 if self.start else 200)
        if self.start:
            self.send_header("Content-Range", f"bytes {self.start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def dropped(request: Request) -> None:
    request.announce(len(CONTENT) - request.start)
    request.wfile.write(CONTENT[request.start :][:9_000])


def dropped_at_once(request: Request) -> None:
    request.announce(len(CONTENT) - request.start)


def stalled(request: Request) -> None:
    request.announce(len(CONTENT) - request.start)
    if request.number == 1:
        request.wfile.write(CONTENT[request.start :][:9_000])
        request.wfile.flush()
        time.sleep(2 * PATIENCE)
    else:
        request.wfile.write(CONTENT[request.start :])


def stalled_for_ever(request: Request) -> None:
    time.sleep(2 * PATIENCE)


def busy(status: int, **headers: str) -> Callable[[Request], None]:
    """An answer that is a plea to wait, and then the file."""
    return lambda request: request.whole() if request.number > 1 else request.answer(status, b"wait", **headers)


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Request], None]:
    return lambda request: request.answer(status, body, **headers)


def wrong_place(request: Request) -> None:
    if request.start:  # the end again, and not what was asked for
        request.answer(206, CONTENT[100:], Content_Range=f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}")
    else:
        dropped(request)


def no_length(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(CONTENT)


def endless(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(bytes(1 << 16))


def not_satisfiable(request: Request) -> None:
    if request.start:
        request.answer(416, Content_Range=f"bytes */{len(CONTENT) // 2}")
    else:
        request.whole()


def to_another(request: Request) -> None:
    request.answer(302, Location="/plain/again")


def loop(request: Request) -> None:
    request.answer(302, Location=f"/loop/{request.number}")


def slow(request: Request) -> None:
    body = PACKED if request.path.endswith(".zip") else CONTENT
    rest = body[request.start :]
    request.send_response(206 if request.start else 200)
    if request.start:
        request.send_header("Content-Range", f"bytes {request.start}-{len(body) - 1}/{len(body)}")
    request.send_header("Content-Length", str(len(rest)))
    request.end_headers()
    for start in range(0, len(rest), 5_000):
        request.wfile.write(rest[start : start + 5_000])
        request.wfile.flush()
        time.sleep(0.005)


PATIENCE = 0.3
WHOLE = ""
FAULTS: dict[str, tuple[Callable[[Request], None], str]] = {
    "plain": (Request.whole, WHOLE),
    "dropped in the middle, again and again": (dropped, WHOLE),
    "dropped before the first byte": (dropped_at_once, "the connection ended after 0 of 50,000 bytes"),
    "stalled once": (stalled, WHOLE),
    "stalled for ever": (stalled_for_ever, "nothing came for 0.3 s"),
    "wrong bytes": (says(200, CONTENT[::-1]), "not the published one"),
    "too short": (says(200, CONTENT[:-1]), "it has 49,999 bytes, and the published file 50,000"),
    "too long": (says(200, CONTENT + b"x"), "it has 50,001 bytes, and the published file 50,000"),
    "without a length": (no_length, WHOLE),
    "without an end": (endless, "more than the 50,000 bytes of the published file came"),
    "the wrong part": (wrong_place, "it sends what follows byte 100"),
    "a redirect": (to_another, WHOLE),
    "loop": (loop, "more than 10 redirects"),
    "a redirect to a file": (says(302, Location="file:///etc/passwd"), "InvalidSchema"),
    "404": (says(404), "404 Not Found"),
    "416 of another length": (not_satisfiable, WHOLE),
    "429": (busy(429), WHOLE),
    "429 with Retry-After": (busy(429, Retry_After="1"), WHOLE),
    "503": (busy(503), WHOLE),
    "503 with Retry-After": (busy(503, Retry_After="1"), WHOLE),
    "503 with a date": (busy(503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), WHOLE),
    "503 for ever": (says(503), "503 Service Unavailable"),
    "a web page": (says(200, PAGE, Content_Type="text/html"), "(a web page came|it has 59 bytes)"),
}
"""What a host does, and what comes of it: the file, or the reason that is given."""
ANSWERS = {re.sub(r"\W", "-", name): answer for name, (answer, _) in FAULTS.items()} | {"slow": slow}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(transfer, "TIMEOUT", PATIENCE)
    monkeypatch.setattr(transfer, "PAUSE", 0.01)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Handler", (Request,), {"counts": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def file_at(host: str, kind: str) -> DatasetFile:
    return DatasetFile("data.bin", f"{host}/{re.sub(r'[^0-9a-zA-Z]', '-', kind)}/x", sha256=SHA256, size=len(CONTENT))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("before", [0, 7_000], ids=["new", "gone on with"])
def test_the_published_bytes_come_or_one_line(
    host: str, tmp_path: Path, fault: FaultMaker, kind: str, before: int
) -> None:
    note = fault("downloads", f"a host: {kind}", "the published bytes come, or one line and no file")
    with note.one(f"after {before} bytes"):
        require_bytes_or_line(host, tmp_path, kind, before)


def require_bytes_or_line(host: str, tmp_path: Path, kind: str, before: int) -> None:
    if before:
        (tmp_path / "data.bin.part").write_bytes(CONTENT[:before])
    reason, start, said = FAULTS[kind][1], time.monotonic(), None
    try:
        download(file_at(host, kind), tmp_path)
    except DataError as error:
        said = str(error)
    assert time.monotonic() - start < 20
    if said is None:
        assert not reason or before
        assert (tmp_path / "data.bin").read_bytes() == CONTENT
    else:
        assert reason
        assert re.search(reason, said) or before
        assert len(said.splitlines()) == 2  # the reason, and the way out
        assert not (tmp_path / "data.bin").exists()
    assert CONTENT.startswith(part_of(tmp_path))


def part_of(folder: Path) -> bytes:
    part = folder / "data.bin.part"
    return part.read_bytes() if part.is_file() else b""


def test_a_host_is_not_asked_again_before_it_said(host: str, tmp_path: Path) -> None:
    start = time.monotonic()
    download(file_at(host, "503 with Retry-After"), tmp_path)
    assert time.monotonic() - start >= 1  # as it asks


@pytest.mark.parametrize("kind", ["404", "503 for ever", "a web page", "wrong bytes", "loop", "without an end"])
def test_a_mirror_stands_in(host: str, tmp_path: Path, kind: str) -> None:
    sound = f"{host}/plain/y"
    assert download(replace(file_at(host, kind), mirrors=(sound,)), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["a web page", "dropped in the middle, again and again"])
def test_a_file_of_which_nothing_is_known_is_never_half_of_one(host: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"of another day" * 500)
    unknown = replace(file_at(host, kind), sha256=None, size=None)
    with pytest.raises(DataError, match=r"a web page came|the connection ended"):
        download(unknown, tmp_path)
    assert not (tmp_path / "data.bin").exists()
    assert download(replace(unknown, url=f"{host}/plain/z"), tmp_path).read_bytes() == CONTENT


# A preparation that is killed.


def packed() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(60):
            archive.writestr(f"toy-1.0/part/{number}.txt", f"{number}\n" * 500)
    return buffer.getvalue()


PACKED = packed()
TREE = {f"part/{number}.txt": f"{number}\n" * 500 for number in range(60)}


def toy(host: str) -> Dataset:
    """A file, and a folder of files out of an archive, of which nothing but its name is known."""
    archive = DatasetFile("toy.zip", f"{host}/slow/toy.zip", sha256=hashlib.sha256(PACKED).hexdigest())
    files = (replace(file_at(host, "slow"), url=f"{host}/slow/data.bin"), DatasetFile("part"))
    return Dataset("toy", "a toy", "lm", "none", files=files, archives=(archive,), archive_root="toy-1.0")


CHILD = """
import importlib.util, json, sys
from pathlib import Path
from lstmdrop.data.download import prepare
from lstmdrop.data.registry import Dataset, DatasetFile
files, archives = json.loads(sys.argv[1])
dataset = Dataset("toy", "a toy", "lm", "none", files=tuple(DatasetFile(**one) for one in files),
                  archives=tuple(DatasetFile(**one) for one in archives), archive_root="toy-1.0")
import requests
print("ready", flush=True)
prepare(dataset, Path(sys.argv[2]))
print("done", flush=True)
"""


def killed_after(seconds: float, dataset: Dataset, folder: Path) -> None:
    def told(files: tuple[DatasetFile, ...]) -> list[dict[str, object]]:
        return [{name: getattr(one, name) for name in ("name", "url", "sha256", "size")} for one in files]

    about = json.dumps([told(dataset.files), told(dataset.archives)])
    with subprocess.Popen([sys.executable, "-c", CHILD, about, str(folder)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.kill()


def is_right(dataset: Dataset, folder: Path) -> bool:
    return [check.status for check in verify(dataset, folder)] == ["ok", "ok"] and {
        path.relative_to(folder).as_posix(): path.read_text() for path in (folder / "part").rglob("*.txt")
    } == TREE


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "with a file missing"])
def test_a_preparation_that_is_killed_leaves_nothing_that_is_taken_for_whole(
    host: str, tmp_path: Path, fault: FaultMaker, is_there: bool
) -> None:
    note = fault(
        "downloads", "kill -9 while a dataset is prepared", "no half of it is taken for whole; the next call ends it"
    )
    dataset, moments = toy(host), random.Random(5)
    start = time.monotonic()
    prepare(dataset, tmp_path / "first")
    whole_seconds = time.monotonic() - start
    for number in range(times(50)):
        folder, seconds = tmp_path / f"{number}/toy", moments.random() * whole_seconds
        if is_there:
            folder.mkdir(parents=True)
            (folder / "data.bin").write_bytes(CONTENT)
        with note.one(f"after {seconds:.2f} s"):
            killed_after(seconds, dataset, folder)
            if (folder / "part").exists() or (folder.exists() and not is_there):
                assert is_right(dataset, folder)
            prepare(dataset, folder)
            assert is_right(dataset, folder)
            assert {path.name for path in folder.iterdir()} == {"data.bin", "part"}
