"""Datasets: what is known about each, and where they lie on this machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import platformdirs

from lstmdrop.config import Split
from lstmdrop.errors import DataError, UsageError

MOST_NAMES = 8
"""Of a folder's files, in an error."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Why a file cannot be written any further, of which an error names no file."""

CHOOSE_A_CACHE = "set LSTMDROP_CACHE to a folder that can be written, on a disk with room"


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """One published file; a checksum that nobody has confirmed is None."""

    name: str
    """Its path below the dataset's folder."""
    url: str | None = None
    """Where it is published, or None if it comes out of one of the dataset's archives."""
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    """In bytes."""
    mirrors: tuple[str, ...] = ()
    """Other addresses of the same bytes, tried in turn when ``url`` fails."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset by name, in the layout in which it is published."""

    name: str
    summary: str
    task: str
    licence: str
    files: tuple[DatasetFile, ...]
    """What lies in the folder once the dataset is there; none for one that the package itself makes."""
    archives: tuple[DatasetFile, ...] = ()
    """What is downloaded and unpacked to get those of ``files`` that have no address of their own."""
    archive_root: str = ""
    """The leading folder inside the archives that is left out."""
    homepage: str | None = None
    note: str | None = None
    """What to do by hand where no address can be given."""
    hub: str | None = None
    """The same data on the Hugging Face Hub, where scores of published models are compared; its part after a colon."""


def cache_dir() -> Path:
    """The folder for what can be made again: ``$LSTMDROP_CACHE``, else the user's cache folder.

    Raises:
        DataError: it is to be in the user's home, and there is none.
    """
    named = os.environ.get("LSTMDROP_CACHE") or platformdirs.user_cache_dir("lstmdrop")
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise DataError(f"{named}: there is no home folder\n{CHOOSE_A_CACHE}") from None


def cache_problem(error: OSError, path: Path | None = None) -> DataError | None:
    """What to say of a file in the cache that cannot be read or written; None where the error is of another.

    ``path`` is what was being written, should the disk be full: such an error names no file.
    """
    if isinstance(error.filename, str):
        path = Path(error.filename)
    elif error.errno not in NO_ROOM:
        return None
    try:
        is_ours = path is not None and path.resolve().is_relative_to(cache_dir().resolve())
    except DataError:
        return None
    if not is_ours:
        return None
    return DataError(f"{path}: {error.strerror or error}\n{CHOOSE_A_CACHE}")


def datasets_dir(data_dir: Path | None = None) -> Path:
    """Where a dataset is put: ``data_dir``, else ``$LSTMDROP_DATA``, else the cache."""
    return _places(data_dir)[0]


def locate(name: str, data_dir: Path | None = None) -> Path:
    """The folder of a dataset: ``name/`` under ``data_dir``, else ``$LSTMDROP_DATA``, else the cache.

    Raises:
        DataError: it is in none of them; the message lists the folders and the command that gets it.
    """
    candidates = [place / name for place in _places(data_dir)]
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = ", ".join(str(folder) for folder in candidates)
    raise DataError(f"the dataset {name!r} is not here (looked for {looked})\nget it: lstmdrop data prepare {name}")


def whole_split(data: Path, scored: Sequence[Split]) -> Split:
    """The split that one's own data in one piece is: the one that is to be scored; of training, ``train``.

    Raises:
        UsageError: two are to be scored, and it cannot be both.
    """
    split, *others = dict.fromkeys(scored or ("train",))
    if others:
        raise UsageError(
            f"{data} is in one piece and cannot be both {split} and {others[0]}: give a folder that has the two\n"
            "or choose settings on the run's own data first (--tune-on without --data), and give them with --set"
        )
    return split


def draw(name: str, seed: int = 0) -> float:
    """A number from 0 to 1 that belongs to the name: what deals out data which nobody has split."""
    salt = seed.to_bytes(8, "little")  # that of 0 is no salt
    digest = blake2b(name.encode(errors="surrogateescape"), digest_size=8, salt=salt).digest()
    return int.from_bytes(digest, "big") / 2**64


def contents(folder: Path) -> str:
    """``it holds a.txt, b.txt``: the first names in a folder, for an error."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    listed = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    return f"it holds {listed or 'nothing'}"


def _places(data_dir: Path | None) -> list[Path]:
    environment = os.environ.get("LSTMDROP_DATA")
    named = Path(data_dir) if data_dir else None
    places = [place for place in (named, expanded(environment) if environment else None) if place is not None]
    try:
        return [*places, cache_dir() / "datasets"]
    except DataError:
        if not places:
            raise
        return places


def expanded(path: str) -> Path:
    """The path, with the home folder for ``~`` where there is such a home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
