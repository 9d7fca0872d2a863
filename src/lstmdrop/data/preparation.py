"""Putting a dataset in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

from lstmdrop.data.archive import unpack
from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.checksum import file_status
from lstmdrop.data.download import Progress, download, silent
from lstmdrop.data.registry import Dataset, DatasetFile
from lstmdrop.errors import DataError


def prepare(dataset: Dataset, folder: Path, *, source: Path | None = None, progress: Progress = silent) -> None:
    """Make ``folder`` hold the files of a dataset; those that are there and right are left alone.

    They are downloaded, or copied from the folder ``source``, where they may lie as published: as files or as
    the archives that contain them.

    Raises:
        DataError: a file cannot be got, or is not the published one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in _wanting(dataset, folder):
        if source is not None:
            _copy(source / file.name, file, folder)
        elif file.url is not None:
            download(file, folder, progress)
    if _wanting(dataset, folder):
        _unpack_archives(dataset, folder, source, progress)
    if wanting := _wanting(dataset, folder):
        names = ", ".join(file.name for file in wanting)
        origin = f" (looked in {source})" if source is not None else ""
        raise DataError(f"{dataset.name}: cannot get {names}{origin}\n{_advice(dataset)}")


def _wanting(dataset: Dataset, folder: Path) -> list[DatasetFile]:
    return [file for file in dataset.files if file_status(file, folder / file.name) != "ok"]


def _unpack_archives(dataset: Dataset, folder: Path, source: Path | None, progress: Progress) -> None:
    for archive in dataset.archives:
        if source is None:
            path = download(archive, folder, progress)
            unpack(path, folder, root=dataset.archive_root)
            path.unlink()
        elif (source / archive.name).exists():
            _require_published(source / archive.name, archive)
            unpack(source / archive.name, folder, root=dataset.archive_root)


def _copy(origin: Path, file: DatasetFile, folder: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, folder / file.name, dirs_exist_ok=True)
    elif origin.exists():
        _require_published(origin, file)
        with origin.open("rb") as content, atomic_file(folder / file.name) as handle:
            shutil.copyfileobj(content, handle)


def _require_published(path: Path, file: DatasetFile) -> None:
    if file_status(file, path) == "differs":
        raise DataError(f"{path}: this is not the published file (its size or checksum differs)")


def _advice(dataset: Dataset) -> str:
    if dataset.note is not None:
        return dataset.note
    where = f" from {dataset.homepage}" if dataset.homepage else ""
    return f"get them{where} and run: lstmdrop data prepare {dataset.name} --from FOLDER"
