"""Models go to the Hub and come back: against a server on this machine that speaks the part of its API that is used."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.predict import predict
from lstmdrop.commands.publish import publish
from lstmdrop.errors import DataError, UsageError
from lstmdrop.hub import fetched, send

pytest.importorskip("huggingface_hub")

NAME = "someone/a-model"


class Hub(ThreadingHTTPServer):
    """One repository, as the commits that were sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.commit: str | None = None
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if match := re.fullmatch(rf"/api/models/{NAME}(?:/revision/(\w+))?", path):
            if self.server.commit is None or match[1] not in (None, "main", self.server.commit):
                return self.refuse()
            siblings = [{"rfilename": name} for name in self.server.files]
            return self.answer({"id": NAME, "sha": self.server.commit, "siblings": siblings})
        if re.fullmatch(rf"/api/models/{NAME}/tree/\w+", path):
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.server.files.items()
            ]
            return self.answer(rows)
        if match := re.fullmatch(rf"/{NAME}/resolve/(\w+)/(.+)", path):
            return self.send_content(self.server.files[match[2]])
        return self.refuse()

    do_HEAD = do_GET  # noqa: N815 (the name is the base class's)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            return self.answer({"url": f"http://127.0.0.1:{self.server.server_port}/{NAME}"})
        if self.path == "/api/validate-yaml":
            assert json.loads(body)["content"].startswith("---\nlicense: mit\n")
            return self.answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            return self.answer(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        assert "/commit/" in self.path
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.server.commit = hashlib.sha1(body).hexdigest()
        url = f"http://127.0.0.1:{self.server.server_port}/{NAME}/commit/{self.server.commit}"
        return self.answer({"commitUrl": url, "commitOid": self.server.commit, "commitMessage": "", "hookOutput": ""})

    def answer(self, found: Any) -> None:
        self.send_content(json.dumps(found).encode(), "application/json")

    def refuse(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("X-Error-Message", "Repository not found")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_content(self, content: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.server.commit or "")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import close_session, constants

    close_session()
    server = Hub()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of-this-test")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_that_was_sent_is_fetched_by_name_with_its_commit_said(
    hub: Hub, trained: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    run = trained("lm")
    address = publish(run, to=f"hf:{NAME}", licence="mit")
    assert address == f"hf:{NAME}@{hub.commit}"
    hub.files["modeling.py"] = b"raise SystemExit('code of a model was run')"
    outputs = list(predict("lm", runs=[f"hf:{NAME}"], inputs=["the cat"], score=True))
    assert outputs == list(predict("lm", runs=[run], inputs=["the cat"], score=True))
    assert f"hf:{NAME} is taken at {hub.commit}; to pin it: {address}" in caplog.text
    assert not any(asked.endswith(("modeling.py", "README.md")) for asked in hub.asked)
    caplog.clear()
    assert list(predict("lm", runs=[address], inputs=["the cat"], score=True)) == outputs
    assert "is taken at" not in caplog.text


def test_without_a_network_what_was_fetched_serves(hub: Hub, trained: Callable[[str], Path]) -> None:
    from huggingface_hub import close_session

    publish(trained("lm"), to=f"hf:{NAME}", licence="mit")
    before = fetched(Path(f"hf:{NAME}"))
    hub.shutdown()
    hub.server_close()
    close_session()  # a connection that is open would be answered still
    assert fetched(Path(f"hf:{NAME}")) == before
    with pytest.raises(DataError, match="hf:someone/other was never fetched, and the Hub cannot be reached"):
        fetched(Path("hf:someone/other"))


def test_what_is_not_there_is_named(hub: Hub) -> None:
    with pytest.raises(DataError, match=r"^hf:someone/other: the Hub says: "):
        fetched(Path("hf:someone/other"))
    with pytest.raises(UsageError, match="'hf:a b' is no address on the Hub"):
        fetched(Path("hf:a b"))
    with pytest.raises(UsageError, match="leave @v1 out"):
        send(Path(), f"hf:{NAME}@v1")
