"""Getting the files of a dataset: resumable, checked, and whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from lstmdrop.data.archive import unpack
from lstmdrop.data.atomic import atomic_file, locked
from lstmdrop.data.registry import Dataset, DatasetFile
from lstmdrop.data.text import BLOCK_BYTES
from lstmdrop.data.transfer import Progress, TransferError, fetch, silent
from lstmdrop.errors import DataError

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


def download(file: DatasetFile, folder: Path, progress: Progress = silent) -> Path:
    """Get one file into ``folder`` unless it is there already, and return its path.

    What has come so far is kept as ``NAME.part``, from which a later call goes on. The file takes its name
    only when its checksums agree. Of two processes that ask for it, one waits for the other.

    Raises:
        DataError: no address gave the file; the message says what went wrong with each.
    """
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        if file_status(file, target) == "ok":
            return target
        failures = []
        for url in (file.url, *file.mirrors):
            failure = _failure(url, file, target, progress) if url else "no address is known"
            if failure is None:
                return target
            failures.append(failure)
    raise DataError(
        f"{file.name}: the download failed ({'; '.join(failures)})\n"
        f"run again to go on, or get the file elsewhere and name its folder with --from"
    )


def _failure(url: str, file: DatasetFile, target: Path, progress: Progress) -> str | None:
    part = target.with_name(target.name + ".part")
    try:
        fetch(url, part, file, progress)
    except TransferError as error:
        return f"{url}: {error}"
    if file_status(file, part) == "differs":
        part.unlink()
        return f"{url}: the file that came is not the published one (its size or checksum differs)"
    part.replace(target)
    return None


def prepare(dataset: Dataset, folder: Path, *, source: Path | None = None, progress: Progress = silent) -> None:
    """Make ``folder`` hold the files of a dataset; those that are there and right are left alone.

    They are downloaded, or copied from the folder ``source``, where they may lie as published: as files or as
    the archives that contain them. A folder that is new takes its name once it is whole; what was downloaded until
    then waits beside it, and a later call goes on from there.

    Raises:
        DataError: a file cannot be got, or is not the published one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        work, is_new = (folder, False) if folder.exists() else (unfinished, not unfinished.exists())
        work.mkdir(exist_ok=True)
        try:
            _fill(dataset, work, source, progress)
        except BaseException:
            if is_new and (source is not None or not any(map(Path.is_file, work.rglob("*")))):
                shutil.rmtree(work)
            raise
        if work == unfinished:
            for archive in dataset.archives:  # what an interrupted call has unpacked and not removed
                (work / archive.name).unlink(missing_ok=True)
            work.replace(folder)


def is_whole(dataset: Dataset, folder: Path) -> bool:
    """Whether every file is there in its published size; checksums are `verify`'s."""
    paths = ((folder / file.name, file.size) for file in dataset.files)
    return all(path.exists() and size in (None, path.stat().st_size) for path, size in paths)


def _fill(dataset: Dataset, folder: Path, source: Path | None, progress: Progress) -> None:
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
            _unpack(path, folder, dataset.archive_root)
            path.unlink()
        elif (source / archive.name).exists():
            _require_published(source / archive.name, archive)
            _unpack(source / archive.name, folder, dataset.archive_root)


def _unpack(archive: Path, folder: Path, root: str) -> None:
    """Whole or not at all: of a folder that is there nobody asks whether all of its files are."""
    unfinished = folder / f".{archive.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unpack(archive, unfinished, root=root)
        _move(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """What lies in one folder into another; a folder that is new there arrives at once."""
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir() and place.is_dir():
            _move(path, place)
        else:
            path.replace(place)


def _copy(origin: Path, file: DatasetFile, folder: Path) -> None:
    if origin.is_dir():
        unfinished = folder / f".{Path(file.name).name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(origin, unfinished / file.name)
        _move(unfinished, folder)
        shutil.rmtree(unfinished)
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
