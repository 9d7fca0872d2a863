"""JSON as everything here writes it, and small files of it, written whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lstmdrop.data.atomic import atomic_file, naming
from lstmdrop.errors import DataError
from lstmdrop.parsing import parse_json, read_json_document


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # as JSON has names that are not UTF-8


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


def _with_numbers(entry: dict[str, Any]) -> dict[str, Any]:
    if "value" in entry:  # of a score
        entry["value"] = as_number(entry["value"])
    return entry


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write an object so that people can read it too."""
    write_text(path, to_json(values, indent=2) + "\n")


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an object to a file that has one a line."""
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(to_json(entry) + "\n")


def keep_lines(path: Path, keep: Callable[[Mapping[str, Any]], bool]) -> None:
    """Leave out what ``keep`` refuses of a file that has an object a line, and lines that hold none; one at a time."""
    with path.open(encoding="utf-8", errors="replace") as old, atomic_file(path) as new:
        for line in old:
            entry = _entry(line)
            if entry is not None and keep(entry):
                new.write(f"{line.rstrip()}\n".encode())


def _entry(line: str) -> dict[str, Any] | None:
    try:
        return dict(parse_json(line))
    except (ValueError, TypeError):
        return None


def read_json(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        DataError: it is missing or damaged, or larger or deeper than any of ours.
    """
    try:
        return dict(read_json_document(path, object_hook=_with_numbers))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run has not got so far, or is damaged") from None
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
