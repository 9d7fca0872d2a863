"""JSON and TOML that somebody else has written, read within bounds of size and depth; JSON that everybody can read."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 1 << 23
"""Of a document that describes something: a hundred times what the largest of ours has. Parsed, it may take 30 times as
much memory."""
MOST_BYTES_OF_LISTS = 1 << 30
"""Of a document that lists data: COCO's captions have a seventh of it."""
MOST_BYTES_OF_TOML, LONGEST_LINE_OF_TOML = 1 << 18, 1 << 14
"""Of what people write; the time of its parser grows with the square of a line's length."""
MOST_VALUES = 25_000_000
"""Of a document: twice as many as COCO has words of captions; small ones take 60 bytes of memory each."""
MOST_DEPTH = 100
"""Objects and lists within each other. What is deeper fits no configuration, and is there to exhaust the stack."""


def read_document(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file, if there are at most so many; no more is read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer, or no file but a device or a pipe, which may never end.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("it is no ordinary file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is longer than {most >> 20:,} MiB")
    return content


def parse_json(text: str | bytes, **options: Any) -> Any:
    """What `json.loads` makes of a text, ``options`` its own.

    Raises:
        ValueError: it is no JSON, or deeper than `MOST_DEPTH`.
    """
    if len(text) > MOST_BYTES and _most_values(text) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    try:
        return _shallow(json.loads(text, **options))
    except RecursionError:
        raise _too_deep() from None


def parse_toml(text: str) -> dict[str, Any]:
    """What a text in TOML says.

    Raises:
        ValueError: it is no TOML, deeper than `MOST_DEPTH` or too long.
    """
    lines = text.splitlines()
    if len(text) > MOST_BYTES_OF_TOML or max(map(len, lines), default=0) > LONGEST_LINE_OF_TOML:
        most, longest = MOST_BYTES_OF_TOML >> 10, LONGEST_LINE_OF_TOML >> 10
        raise ValueError(f"it is longer than {most} KiB, or a line of it than {longest} KiB")
    if any(line.partition("=")[0].count(".") > MOST_DEPTH for line in lines):
        raise _too_deep()  # before the parser, whose time grows with the square of the depth
    try:
        return dict(_shallow(tomllib.loads(text)))
    except RecursionError:
        raise _too_deep() from None


def read_json_document(path: Path, most: int = MOST_BYTES, **options: Any) -> Any:
    """The JSON of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, too long or too deep.
    """
    return parse_json(read_document(path, most), **options)


def document_lines(path: Path) -> Iterator[str]:
    """The lines of a text in UTF-8 that describe something each, with their ends, one in memory at a time.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no UTF-8, or a line is longer than `MOST_BYTES`.
    """
    with path.open("rb") as file:
        while line := file.readline(MOST_BYTES + 1):
            if len(line) > MOST_BYTES:
                raise ValueError(f"a line is longer than {MOST_BYTES >> 20:,} MiB")
            yield line.decode("utf-8")


def _most_values(text: str | bytes) -> int:
    if isinstance(text, str):
        return sum(text.count(sign) for sign in "{[,")
    return sum(text.count(sign) for sign in (b"{", b"[", b","))


def _shallow(value: Any) -> Any:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, dict | list)]
        if not level:
            return value
    raise _too_deep()


def _within(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _too_deep() -> ValueError:
    return ValueError(f"more than {MOST_DEPTH} objects or lists are within each other")


def to_json(value: object, **options: Any) -> str:
    """``value`` as JSON that every reader takes; ``options`` are those of `json.dumps`.

    JSON has no infinity and no NaN. A number that is not finite, such as the perplexity of a model that diverged, is
    the string ``inf``, ``-inf`` or ``nan``, which `as_number` takes back.
    """
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:  # rare: most values are written without being looked through
        return json.dumps(_finite(value), allow_nan=False, **options)


def as_number(value: object) -> object:
    """A number that `to_json` had to write as a string is one again; everything else is as it was."""
    return float(value) if isinstance(value, str) and value in ("inf", "-inf", "nan") else value


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
