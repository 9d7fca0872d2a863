"""Datasets: what is known about each, and where they lie on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from lstmdrop.errors import DataError


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


def cache_dir() -> Path:
    """The folder for what can be made again: ``$LSTMDROP_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("LSTMDROP_CACHE") or platformdirs.user_cache_dir("lstmdrop")).expanduser()


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


def _places(data_dir: Path | None) -> list[Path]:
    environment = os.environ.get("LSTMDROP_DATA")
    places = [
        Path(data_dir) if data_dir else None,
        Path(environment).expanduser() if environment else None,
        cache_dir() / "datasets",
    ]
    return [place for place in places if place is not None]
