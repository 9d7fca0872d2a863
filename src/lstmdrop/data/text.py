"""Text files: strict UTF-8, packed or not, one line at a time or one block at a time, in constant memory."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from lstmdrop.data.archive import BLOCK_BYTES as BLOCK_BYTES
from lstmdrop.data.archive import open_unpacked
from lstmdrop.errors import DataError

ENCODING = "utf-8-sig"
"""UTF-8, a byte order mark at the start left out."""


class Part(NamedTuple):
    """A stretch of a file, so that several processes can read one text."""

    path: Path
    start: int = 0
    """In bytes, where a line or a word begins; of Parquet, the first of the row groups."""
    end: int | None = None
    """None: that of the file."""
    first_line: int = 1
    """What errors call its first line."""


def read_lines(text: Path | Part) -> Iterator[str]:
    r"""Yield the lines of a text, without their ends; a packed one is read as `open_unpacked` does.

    A line ends at ``"\n"`` or ``"\r\n"`` and nowhere else, so that line numbers agree with an editor's.

    Raises:
        DataError: the file is missing, empty or damaged, or a line is not UTF-8 (the message names ``file:line``).
    """
    part = _as_part(text)
    with _opened(part) as handle:
        encoding = ENCODING if part.start == 0 else "utf-8"
        for number, raw in enumerate(handle, part.first_line):
            try:
                line = raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise not_utf8(part.path, number, error) from None
            if "\0" in line:
                raise _not_text(part.path, number)
            encoding = "utf-8"
            yield line.removesuffix("\n").removesuffix("\r")


def read_blocks(text: Path | Part, cut: Callable[[str], int] = len) -> Iterator[str]:
    r"""Yield a text in blocks of about `BLOCK_BYTES`; joined, they are its lines with ``"\n"`` after each.

    ``cut(text)`` says after how many characters a block may end; what it cuts off begins the next block. A
    line may span blocks, so that a text of one line takes no more memory than any other.

    Raises:
        DataError: as `read_lines`.
    """
    part, held = _as_part(text), ""
    for block in _with_plain_line_ends(_decoded(part), is_last=part.end is None):
        end = cut(block)
        if end == 0:
            held += block
            continue
        yield held + block[:end]
        held = block[end:]
    if held:
        yield held


def content_sha256(*paths: Path) -> str:
    """Hash of a file's bytes; of several files, the hash over their hashes in the order given.

    Raises:
        DataError: a file is missing.
    """
    digests = [_sha256(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def require_text(path: Path) -> None:
    """Refuse a text that cannot be used.

    Raises:
        DataError: the file is missing or empty, or damaged at its beginning.
    """
    require_file(path)
    with open_unpacked(path) as handle:
        if not handle.read(1):
            raise DataError(f"{path}: the file is empty; a text needs at least one line")


def require_file(path: Path) -> None:
    """Refuse a folder, and what is not there.

    Raises:
        DataError: it is one of them.
    """
    if path.is_dir():
        raise DataError(f"{path}: a text file is needed here, and this is a folder")
    if not path.is_file():
        raise DataError(f"{path}: no such file (looked for {path.absolute()})")


def not_utf8(name: Path | str, line: int, error: UnicodeDecodeError) -> DataError:
    """What to say of a line of a text that is not UTF-8."""
    byte = error.object[error.start]
    return DataError(f"{name}:{line}: byte 0x{byte:02x} is not UTF-8; convert the file, with iconv for example")


def _not_text(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}:{line}: there is a zero byte: this is no text, or one in UTF-16; convert it: iconv -f UTF-16 -t UTF-8"
    )


def _as_part(text: Path | Part) -> Part:
    return text if isinstance(text, Part) else Part(text)


@contextmanager
def _opened(part: Part) -> Iterator[IO[bytes]]:
    require_text(part.path)
    with open_unpacked(part.path) as handle:
        if part.start or part.end is not None:
            handle.seek(part.start)
            yield io.BufferedReader(_Stretch(handle, part), BLOCK_BYTES)
        else:
            yield handle


class _Stretch(io.RawIOBase):
    """So many bytes of a file that is at its start."""

    def __init__(self, handle: Any, part: Part) -> None:
        self._handle = handle
        self._left = None if part.end is None else part.end - part.start

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        num_bytes: int = self._handle.readinto(memoryview(buffer)[: self._left])
        if self._left is not None:
            self._left -= num_bytes
        return num_bytes


def _decoded(part: Part) -> Iterator[str]:
    path = part.path
    decoder = codecs.getincrementaldecoder(ENCODING if part.start == 0 else "utf-8")()
    num_lines = part.first_line - 1
    with _opened(part) as handle:
        while True:
            raw = handle.read(BLOCK_BYTES)
            try:
                text = decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                line = num_lines + error.object[: error.start].count(b"\n") + 1
                raise not_utf8(path, line, error) from None
            if not raw:
                return
            if "\0" in text:
                raise _not_text(path, num_lines + text[: text.index("\0")].count("\n") + 1)
            num_lines += raw.count(b"\n")
            yield text


def _with_plain_line_ends(texts: Iterator[str], *, is_last: bool) -> Iterator[str]:
    held, last = "", ""
    for text in texts:
        whole = held + text
        # A "\r" may be half of a line end whose other half is in the next block.
        held = "\r" if whole.endswith("\r") else ""
        whole = whole.removesuffix("\r")
        if whole:
            last = whole[-1]
            yield whole.replace("\r\n", "\n")
    if is_last and (held or last != "\n"):
        yield "\n"


def _sha256(path: Path) -> str:
    require_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
