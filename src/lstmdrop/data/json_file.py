"""Small files of JSON, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lstmdrop.data.atomic import atomic_file, naming
from lstmdrop.errors import DataError
from lstmdrop.parsing import as_number, parse_json, read_json_document, to_json


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # as JSON has names that are not UTF-8


def _with_numbers(entry: dict[str, Any]) -> dict[str, Any]:
    if "value" in entry:  # of a score
        entry["value"] = as_number(entry["value"])
    return entry


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
