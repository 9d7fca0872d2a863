from __future__ import annotations

import io
from pathlib import Path

import pytest

from lstmdrop.data.lines import LINES_AT_ONCE, stream_lines, stream_lines_mended
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError


@pytest.mark.parametrize(
    "content",
    [
        b"one\ntwo\n",
        b"one\r\ntwo",
        b"\xef\xbb\xbfone\n\n\xc3\xa9\n",
        "a\u2028b\x0bc\u0085d\n".encode(),
        b"one\rtwo\r\r\n",
        b"\n",
        b"line\n" * (2 * LINES_AT_ONCE + 1),
    ],
)
def test_a_stream_has_the_lines_of_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text").write_bytes(content)
    expected = list(read_lines(tmp_path / "text"))
    assert list(stream_lines(io.BytesIO(content), "text")) == expected
    assert list(stream_lines_mended(io.BytesIO(content))) == expected


def test_an_empty_stream_has_no_lines() -> None:
    assert list(stream_lines(io.BytesIO(b""), "text")) == list(stream_lines_mended(io.BytesIO(b""))) == []


@pytest.mark.parametrize("line", [1, 3, LINES_AT_ONCE, LINES_AT_ONCE + 1, 2 * LINES_AT_ONCE + 5])
def test_a_line_that_is_not_utf8_is_named_after_the_lines_before_it(line: int) -> None:
    lines = [b"\xc3\xa9\n"] * (line - 1) + [b"caf\xe9\n", b"more\n"]
    stream = stream_lines(lines, "archive:member")
    assert [next(stream) for _ in range(line - 1)] == ["é"] * (line - 1)
    with pytest.raises(DataError, match=rf"^archive:member:{line}: byte 0xe9 is not UTF-8"):
        next(stream)


def test_what_is_not_utf8_is_replaced_and_no_line_is_lost() -> None:
    lines = [b"caf\xe9\n", b"\xe2\x82\n", b"good\n"]
    assert list(stream_lines_mended(lines)) == ["caf\ufffd", "\ufffd", "good"]
