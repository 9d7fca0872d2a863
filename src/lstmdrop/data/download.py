"""Getting the files of a dataset: resumable, checked, and whole or not at all."""

from __future__ import annotations

import os
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lstmdrop.data.atomic import locked
from lstmdrop.data.checksum import file_status
from lstmdrop.data.registry import DatasetFile
from lstmdrop.data.text import BLOCK_BYTES
from lstmdrop.errors import DataError

TIMEOUT = 60
"""Seconds of silence after which a connection is given up; a later call goes on where it stopped."""

# Some hosts refuse Python's own name outright.
USER_AGENT = "Mozilla/5.0 (compatible; lstmdrop)"


class Progress(Protocol):
    """Is told how far a download has come."""

    def __call__(self, file: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes are here; ``total`` is None if the host does not say."""
        ...


def silent(file: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def download(file: DatasetFile, folder: Path, progress: Progress = silent) -> Path:
    """Get one file into ``folder`` unless it is there already, and return its path.

    What has come so far is kept as ``NAME.part``, from which a later call goes on. The file takes its name
    only when its checksums agree. Of two processes that ask for it, one waits for the other.

    Raises:
        DataError: no address gave the file; the message says what went wrong with each.
    """
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        if file_status(file, target) == "ok":
            return target
        failures = []
        for url in (file.url, *file.mirrors):
            failure = _failure(url, file, target, progress) if url else "no address is known"
            if failure is None:
                return target
            failures.append(failure)
    raise DataError(
        f"{file.name}: the download failed ({'; '.join(failures)})\n"
        f"run again to go on, or get the file elsewhere and put it at {target}"
    )


def _failure(url: str, file: DatasetFile, target: Path, progress: Progress) -> str | None:
    part = target.with_name(target.name + ".part")
    try:
        _transfer(url, part, file.name, progress)
    except (OSError, HTTPException) as error:
        return f"{url}: {getattr(error, 'reason', None) or error}"
    if file_status(file, part) == "differs":
        part.unlink()
        return f"{url}: the file that came is not the published one (its size or checksum differs)"
    part.replace(target)
    return None


def _transfer(url: str, part: Path, name: str, progress: Progress) -> None:
    done = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, done)
    except HTTPError as error:
        with error:
            if error.code != 416 or not done:
                raise
            if error.headers["Content-Range"] == f"bytes */{done}":
                return
        part.unlink()
        response, done = _open(url, 0), 0
    with response:
        resumed = response.status == 206
        _write(response, part, done if resumed else 0, name, progress)


def _open(url: str, start: int) -> HTTPResponse:
    headers = {"User-Agent": USER_AGENT, **({"Range": f"bytes={start}-"} if start else {})}
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    return response


def _write(response: HTTPResponse, part: Path, done: int, name: str, progress: Progress) -> None:
    length = response.headers["Content-Length"]
    total = done + int(length) if length else None
    with part.open("ab" if done else "wb") as handle:
        while block := response.read(BLOCK_BYTES):
            handle.write(block)
            done += len(block)
            progress(name, done, total)
        handle.flush()
        os.fsync(handle.fileno())
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done:,} of {total:,} bytes")
