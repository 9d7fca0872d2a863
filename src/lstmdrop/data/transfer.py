"""One file over HTTP: gone on with where it stopped, waited for where the host asks, never taken for what it is not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lstmdrop.data.registry import DatasetFile
from lstmdrop.data.text import BLOCK_BYTES

if TYPE_CHECKING:  # half as long to import as all else that `lstmdrop data list` needs
    from requests import Response, Session

TIMEOUT = 60.0
"""Seconds of silence after which a connection is given up; a later call goes on where it stopped."""

TRIES = 3
"""Of a host that is busy, and of a connection that ends before it has brought anything new."""

BUSY = (429, 500, 502, 503, 504)
"""Answers that are no last word."""

MOST_WAIT = 120
"""Seconds that a host may ask for between two tries."""

PAUSE = 0.5
"""Seconds before the second try where the host names none; it doubles with each."""

MOST_REDIRECTS = 10

# Some hosts refuse Python's own name outright.
USER_AGENT = "Mozilla/5.0 (compatible; lstmdrop)"

PAGE = (b"<!doctype html", b"<html")
"""How a web page begins, such as one that says that the file has moved or that asks for a login."""


class Progress(Protocol):
    """Is told how far a download has come."""

    def __call__(self, file: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes are here; ``total`` is None if the host does not say."""
        ...


def silent(file: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


class TransferError(Exception):
    """An address does not give the file; the message is the reason."""


class _EndedError(Exception):
    """A connection ended in the middle; the next one goes on from there."""


def fetch(url: str, part: Path, file: DatasetFile, progress: Progress = silent) -> None:
    """Bring what is at an address into ``part``, which holds what an earlier call has brought of it.

    Only a file whose checksum is known is gone on with: of another nobody could tell whether its halves are of one.
    A connection that ends is made again as long as each brings something; a host that is busy is waited for as it asks.

    Raises:
        TransferError: the host cannot be reached, has no such file or another, or redirects without an end.
        OSError: the disk cannot be written.
    """
    is_known, reason = file.sha256 is not None or file.md5 is not None, ""
    with _session() as session:
        for _ in range(TRIES):
            while True:
                before = _size(part) if is_known else 0
                try:
                    _bring(session, url, part, before, file, progress)
                    return
                except _EndedError as error:
                    reason = str(error)
                if not is_known or _size(part) <= before:
                    break
    raise TransferError(reason)


@contextmanager
def _session() -> Iterator[Session]:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    busy = Retry(
        total=TRIES, connect=0, read=False, other=0, status_forcelist=BUSY, backoff_factor=PAUSE, raise_on_status=False,
        retry_after_max=MOST_WAIT,
    )  # fmt: skip
    with Session() as session:
        session.max_redirects = MOST_REDIRECTS
        session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=busy))
        yield session


def _bring(session: Session, url: str, part: Path, done: int, file: DatasetFile, progress: Progress) -> None:
    from requests import RequestException, Timeout, TooManyRedirects
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    try:
        headers = {"Range": f"bytes={done}-"} if done else {}
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == 416 and done:
                if response.headers.get("Content-Range") != f"bytes */{done}":
                    part.unlink()
                    _bring(session, url, part, 0, file, progress)
                return
            if not response.ok:
                raise TransferError(f"{response.status_code} {response.reason}")
            _write(response, part, _start(response, done, part), file, progress)
    except (Timeout, ReadTimeoutError):
        raise _EndedError(f"nothing came for {TIMEOUT:g} s") from None
    except TooManyRedirects:
        raise TransferError(f"more than {MOST_REDIRECTS} redirects, one to the next") from None
    except (RequestException, HTTPError) as error:
        raise _EndedError(_reason(error)) from None


def _start(response: Response, done: int, part: Path) -> int:
    """The place of the file where an answer begins.

    Raises:
        TransferError: it is none that was asked for.
    """
    if response.status_code != 206:
        return 0
    told = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
    if told is not None and int(told[1]) != done:
        part.unlink(missing_ok=True)
        raise TransferError(f"asked for what follows byte {done:,}, it sends what follows byte {int(told[1]):,}")
    return done


def _write(response: Response, part: Path, done: int, file: DatasetFile, progress: Progress) -> None:
    length = response.headers.get("Content-Length", "")
    is_plain = "Content-Encoding" not in response.headers
    total = done + int(length) if length.isdecimal() and len(length) < 19 and is_plain else None
    if file.size is not None and total not in (None, file.size):
        raise TransferError(f"it has {total:,} bytes, and the published file {file.size:,}")
    block = _read(response)
    if done == 0 and block.lstrip().lower().startswith(PAGE) and not file.name.endswith((".html", ".htm")):
        raise TransferError("a web page came in place of the file")
    with part.open("ab" if done else "wb") as handle:
        try:
            while block:
                handle.write(block)
                done += len(block)
                progress(file.name, done, total)
                block = _read(response) if file.size is None or done <= file.size else b""
        finally:
            handle.flush()
            os.fsync(handle.fileno())
    if file.size is not None and done > file.size:
        part.unlink()
        raise TransferError(f"more than the {file.size:,} bytes of the published file came")
    if total is not None and done < total:
        raise _EndedError(f"the connection ended after {done:,} of {total:,} bytes")


def _read(response: Response) -> bytes:
    """What has come of an answer, so that nothing of it is lost where the connection ends."""
    block: bytes = response.raw.read1(BLOCK_BYTES, decode_content=True)
    return block


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: Exception) -> str:
    """What the system says of a connection, without the four layers around it."""
    text = str(error)
    counts = re.search(r"IncompleteRead\((\d+) bytes read, (\d+) more expected\)", text)
    if counts is not None:
        read, missing = map(int, counts.groups())
        return f"the connection ended after {read:,} of {read + missing:,} bytes"
    said = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return said[1] if said is not None else f"{type(error).__name__}: {text[:200]}"
