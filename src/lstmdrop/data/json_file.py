"""Small JSON files, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop.parsing import read_json_document


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # as JSON has names that are not UTF-8


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write an object so that people can read it too."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        DataError: it is missing or damaged, or larger or deeper than any of ours.
    """
    try:
        return dict(read_json_document(path))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run has not got so far, or is damaged") from None
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
