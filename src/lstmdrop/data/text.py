"""Text files: strict UTF-8, one line at a time or one block at a time, in constant memory."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lstmdrop.errors import DataError

BLOCK_BYTES = 1 << 20
"""Bytes read at a time: large enough to be fast, small enough that a block's tokens stay in a few MiB."""

BYTE_ORDER_MARK = "\ufeff"


def read_lines(path: Path) -> Iterator[str]:
    r"""Yield the lines of a text, without their ends.

    A line ends at ``"\n"`` or ``"\r\n"`` and nowhere else, so that line numbers agree with those of an editor.
    A byte order mark at the start of the file is left out.

    Raises:
        DataError: the file is missing or empty, or a line is not UTF-8 (the message names ``file:line``).
    """
    require_text(path)
    with path.open("rb") as handle:
        for number, raw in enumerate(handle, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise _not_utf8(path, number, error) from None
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            yield line.removesuffix("\n").removesuffix("\r")


def read_blocks(path: Path, cut: Callable[[str], int] = len) -> Iterator[str]:
    r"""Yield a text in blocks of about `BLOCK_BYTES`; joined, they are its lines with ``"\n"`` after each.

    ``cut(text)`` says after how many characters a block may end; what it cuts off begins the next block. A line
    may span blocks, so that a text of one line takes no more memory than any other.

    Raises:
        DataError: as `read_lines`.
    """
    held = ""
    for text in _decoded_blocks(path):
        end = cut(text)
        if end == 0:
            held += text
            continue
        yield held + text[:end]
        held = text[end:]
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
        DataError: the file is missing or empty.
    """
    _require_file(path)
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; a text needs at least one line")


def _decoded_blocks(path: Path) -> Iterator[str]:
    require_text(path)
    decoder = codecs.getincrementaldecoder("utf-8")()
    num_lines, held, start, last = 0, "", True, ""
    with path.open("rb") as handle:
        while raw := handle.read(BLOCK_BYTES):
            try:
                text = held + decoder.decode(raw)
            except UnicodeDecodeError as error:
                line = num_lines + error.object[: error.start].count(b"\n") + 1
                raise _not_utf8(path, line, error) from None
            num_lines += raw.count(b"\n")
            if start:
                text, start = text.removeprefix(BYTE_ORDER_MARK), False
            # A "\r" may be half of a line end whose other half is in the next block.
            text, held = (text[:-1], "\r") if text.endswith("\r") else (text, "")
            if text:
                last = text[-1]
                yield text.replace("\r\n", "\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, num_lines + 1, error) from None
    if held or last != "\n":
        yield "\n"


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: a text file is needed here, and this is a folder")
    if not path.is_file():
        raise DataError(f"{path}: no such file (looked for {path.absolute()})")


def _not_utf8(path: Path, line: int, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    return DataError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; convert the file, for example with iconv")


def _sha256(path: Path) -> str:
    _require_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
