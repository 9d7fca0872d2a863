"""What a dataset's folder must hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lstmdrop.errors import DataError


def require_files(dataset: str, folder: Path, paths: Iterable[Path]) -> None:
    """Refuse a folder that lacks any of the files.

    Raises:
        DataError: some are missing; the message names them and the command that gets them.
    """
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}\nget it with: lstmdrop data prepare {dataset}")
