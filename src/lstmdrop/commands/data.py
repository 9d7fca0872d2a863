"""Datasets: what is known, get it, check it, look at one's own, and at what the cache has of them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.config import SPLITS
from lstmdrop.data.download import is_whole, prepare, verify
from lstmdrop.data.parquet import PARQUET, describe_parquet
from lstmdrop.data.registry import Dataset, cache_dir, datasets_dir, expanded, locate
from lstmdrop.data.remote import is_address, local_place
from lstmdrop.data.rows import ROW_ENDINGS, SPLIT_NAMES, ending_of, files_below, is_pattern, matching_files, no_match
from lstmdrop.data.text import read_lines
from lstmdrop.data.transfer import Progress, silent
from lstmdrop.errors import DataError, UsageError, did_you_mean
from lstmdrop.plugin import installed_tasks, load_plugin

DAY = 24 * 60 * 60
"""Seconds."""

DATASETS = "datasets"
"""What was got from elsewhere, and may be hard to get again."""

MOST_WORDS = 2_000_000
"""Different ones that are remembered of a text."""

_MARKED_UP = (".tmx", ".xml", ".sgm", ".sgml")
_OF_A_SPLIT = re.compile(rf"(?:wiki\.)?({'|'.join(SPLIT_NAMES)})\b", re.IGNORECASE)

_MADE = ("commands", "corpora", "counts", "demo", "digests", "features", "gradients", "images", "remote", "tokens")
_NAME = re.compile(r"\.?((.*-)?[0-9a-f]{16}([0-9a-f]{16})?|(digits|scenes)-\d+)(\..*)?")
"""Of what the toolkit has made: nothing else is ever removed, whatever folder LSTMDROP_CACHE names."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What the cache holds of one thing."""

    kind: str
    num_bytes: int
    days: float
    """Since it was made."""
    path: Path


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A known dataset."""

    task: str
    name: str
    summary: str
    licence: str
    folder: Path | None
    """Where it was found, or a part of it."""
    is_whole: bool
    """Whether every file of it is there, in its published size."""
    is_built_in: bool
    """Whether the package makes it by itself, so that it lies nowhere."""


def list_datasets(data_dir: Path | None = None) -> list[DatasetRow]:
    """The datasets of every installed task."""
    rows: list[DatasetRow] = []
    for dataset in _datasets():
        folder = _folder(dataset, data_dir) if dataset.files else None
        whole = not dataset.files or (folder is not None and is_whole(dataset, folder))
        about = (dataset.task, dataset.name, dataset.summary, dataset.licence)
        rows.append(DatasetRow(*about, folder, is_whole=whole, is_built_in=not dataset.files))
    return rows


def prepare_dataset(
    name: str, source: str | Path | None = None, data_dir: Path | None = None, progress: Progress = silent
) -> Path | None:
    """Download a dataset, or take it from the folder ``source``; returns the folder where it now lies.

    Of a dataset that is built in there is nothing to fetch, and the answer is None.

    Raises:
        UsageError: no installed task knows it.
        DataError: a file cannot be got, or is not the published one.
    """
    dataset = find_dataset(name)
    if not dataset.files:
        return None
    folder = datasets_dir(data_dir) / name
    prepare(dataset, folder, source=Path(source) if source else None, progress=progress)
    return folder


def is_own(data: str) -> bool:
    """Whether this is a place of one's own data, and no dataset's name."""
    place = expanded(data)
    return is_address(data) or is_pattern(place) or (place.exists() and data not in {each.name for each in _datasets()})


def prepare_own(data: str | Path, column: str | None = None) -> Mapping[str, Path]:
    """Fetch a text of one's own, read and split it, as a training does that names it; returns the text of each split.

    ``data`` is a file, a folder, a pattern or an address, and ``column`` that of its rows with the text.

    Raises:
        DataError: it is not there, cannot be read, or has no such column.
    """
    prepare = next(own for task in installed_tasks() if (own := load_plugin(task).prepare_own) is not None)
    return prepare(str(data), column)


def verify_dataset(name: str, data_dir: Path | None = None) -> list[tuple[str, str]]:
    """Each file with ``ok``, ``missing`` or ``differs``; a dataset that is built in has none.

    Raises:
        UsageError: no installed task knows the dataset.
        DataError: it is not on this machine.
    """
    dataset = find_dataset(name)
    if not dataset.files:
        return []
    return [(file, status) for file, status in verify(dataset, locate(name, data_dir))]


def describe_text(path: str | Path) -> Iterator[str]:
    """A line about each text: lines, whitespace-separated words, different words, the longest line.

    Of a folder, about its .txt files, or else those named as splits are: ``train.en``, ``val.tsv.gz``; a pattern such
    as ``parts/*.txt`` names several, and an address such as ``s3://...`` what is there. After them, what the tasks say
    of their own data, and find odd. Of what a task knows to be its own kind of data, speech say, it says what that is
    instead.

    Raises:
        DataError: there is neither a text nor a task's data, or a text is not UTF-8.
    """
    path = local_place(path)
    if is_pattern(path) and not matching_files(path):
        raise DataError(no_match(path))
    plugins = [load_plugin(task) for task in installed_tasks()]
    measured = [line for plugin in plugins if plugin.contents is not None for line in plugin.contents(path)]
    if measured:
        yield from measured
        return
    texts = [] if path.suffix.lower() == ".json" else _texts(path)
    for text in texts:
        yield _describe(text)
    is_known = bool(texts)
    for look in (plugin.oddities for plugin in plugins):
        for line in () if look is None else look(path):
            is_known = True
            yield line
    if not is_known:
        raise DataError(
            f"{path} holds no text: neither a .txt file, nor one named {' or '.join(f'{s}.*' for s in SPLITS)}"
        )


def list_cache(older_than: float = 0.0) -> list[CacheEntry]:
    """What is in the cache and at least so many days old, the largest first.

    Raises:
        DataError: there can be no cache: see `lstmdrop.data.registry.cache_dir`.
    """
    folders = [folder for kind in (*_MADE, DATASETS) if (folder := cache_dir() / kind).is_dir()]
    entries = [_entry(folder.name, path) for folder in folders for path in sorted(folder.iterdir())]
    found = [entry for entry in entries if entry.kind == DATASETS or _NAME.fullmatch(entry.path.name)]
    return sorted((entry for entry in found if entry.days >= older_than), key=lambda entry: -entry.num_bytes)


def prune_cache(older_than: float = 0.0) -> list[CacheEntry]:
    """Remove what `list_cache` finds and can be made again, and return it.

    Datasets stay, and so does what may still be being made: it is unfinished and less than a day old.

    Raises:
        DataError: as `list_cache`.
        OSError: something cannot be removed.
    """
    entries = [entry for entry in list_cache(older_than) if entry.kind != DATASETS]
    removed = [entry for entry in entries if entry.days >= 1 or not entry.path.name.startswith(".")]
    for entry in removed:
        if entry.path.is_dir() and not entry.path.is_symlink():
            shutil.rmtree(entry.path)
        else:
            entry.path.unlink()
    return removed


def _entry(kind: str, path: Path) -> CacheEntry:
    files = [file.lstat() for file in (path, *path.rglob("*"))]
    made = max(file.st_mtime for file in files)
    return CacheEntry(kind, sum(file.st_size for file in files[1:] or files), (time.time() - made) / DAY, path)


def find_dataset(name: str) -> Dataset:
    """The known dataset of that name; of ``demo``, which every task makes for itself, the first task's.

    Raises:
        UsageError: there is none.
    """
    known: dict[str, Dataset] = {}
    for dataset in _datasets():
        known.setdefault(dataset.name, dataset)
    if name not in known:
        raise UsageError(f"no dataset {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
    return known[name]


def _datasets() -> list[Dataset]:
    return [dataset for task in installed_tasks() for dataset in load_plugin(task).datasets]


def _folder(dataset: Dataset, data_dir: Path | None) -> Path | None:
    try:
        return locate(dataset.name, data_dir)
    except DataError:
        return None


def _texts(path: Path) -> list[Path]:
    if not path.is_dir():
        return matching_files(path) or [path]
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    order = list(SPLIT_NAMES)
    named = [(match, file) for file in files if (match := _OF_A_SPLIT.match(file.name))]
    found = [file for _, file in sorted(named, key=lambda each: order.index(each[0][1].lower()))]
    return [file for file in files if ending_of(file) == ".txt"] or found or files_below(path, (".txt", *ROW_ENDINGS))


def _describe(text: Path) -> str:
    if ending_of(text) in _MARKED_UP:
        return f"{text}: {text.stat().st_size:,} bytes of markup"
    if ending_of(text) == PARQUET:
        return describe_parquet(text)
    num_lines = num_words = longest = 0
    words: set[str] = set()
    for line in read_lines(text):
        split = line.split()
        num_lines, num_words, longest = num_lines + 1, num_words + len(split), max(longest, len(split))
        if len(words) < MOST_WORDS:
            words.update(split)
    more = "more than " if len(words) >= MOST_WORDS else ""
    different = f"{more}{min(len(words), MOST_WORDS):,} different"
    return f"{text}: {num_lines:,} lines, {num_words:,} words, {different}, longest line {longest:,} words"
