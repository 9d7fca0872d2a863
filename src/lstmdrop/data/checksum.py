"""Whether a dataset's files are the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

from lstmdrop.data.registry import Dataset, DatasetFile
from lstmdrop.data.text import BLOCK_BYTES

Status = Literal["ok", "missing", "differs"]


class FileCheck(NamedTuple):
    """One file of a dataset and how it stands."""

    file: str
    status: Status


def verify(dataset: Dataset, folder: Path) -> list[FileCheck]:
    """Compare every file of a dataset with what is known of it, if only that it must be there."""
    return [FileCheck(file.name, file_status(file, folder / file.name)) for file in dataset.files]


def file_status(file: DatasetFile, path: Path) -> Status:
    """Compare one file with its size and its checksums, as far as they are known."""
    if not path.exists():
        return "missing"
    if file.size is not None and path.stat().st_size != file.size:
        return "differs"
    for algorithm, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if expected is not None and _digest(path, algorithm) != expected:
            return "differs"
    return "ok"


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
