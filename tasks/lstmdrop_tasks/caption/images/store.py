"""The features of a split, computed once, on disk, mapped into memory."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lstmdrop.data.atomic import atomic_file, resumable_folder
from lstmdrop.data.fingerprint import remembered_content
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError
from lstmdrop.parsing import MOST_BYTES_OF_LISTS, read_json_document, to_json
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.images.encoder import ImageEncoder, load_encoder
from lstmdrop_tasks.caption.images.extraction import Features, extract, is_ready

VERSION = 1
"""To be raised when the same files come to give other features."""

MOST_PROBLEMS = 0.01
"""The share of damaged images up to which a split can be used; a single one never stops a run."""

NUM_NAMED = 5
"""Damaged images that an error names."""

FEATURES, INDEX, JOURNAL = "features.bin", "index.json", "journal.json"

NOTED_EVERY = 1.0
"""Seconds of work that an interruption may cost, beside a batch."""

log = logging.getLogger("lstmdrop.caption")


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The features of all images of a split, in its order."""

    features: npt.NDArray[np.float16]
    """Shape ``(images, 1 + positions, channels)``, read-only, mapped: of each image the vector, then any map."""
    problems: Mapping[str, str]
    """The ids of the images that cannot be used, and why; their features are zero."""
    sha256: str
    """Identity of the files and of how the features were made."""
    file: Path
    """What is mapped."""

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, numbers: Sequence[int] | npt.NDArray[np.int64], whole: bool) -> Features:
        """The features of these images; without ``whole``, of each the vector alone, as its one row.

        They are read, not mapped: of a store larger than the memory, mapped pages would soon fill it.
        """
        _, num_rows, channels = self.features.shape
        halves = np.empty((len(numbers), num_rows if whole else 1, channels), np.float16)
        image_bytes = num_rows * channels * halves.itemsize
        with self.file.open("rb", buffering=0) as handle:
            for own, number in zip(halves, numbers, strict=True):
                handle.seek(int(number) * image_bytes)
                handle.readinto(own.data)
        # Thirteen times as fast as NumPy's own conversion.
        rows: Features = torch.from_numpy(halves).float().numpy()
        return rows


def build_store(
    images: Sequence[CaptionedImage], config: ImageConfig, cache: Path, device: torch.device
) -> FeatureStore:
    """Map the features of a split, computing them into ``cache`` if no earlier call has.

    An entry belongs to the content of the files, whatever their names, and to the encoder's fingerprint and
    size. What an interrupted call has encoded is gone on with. How far the work has come is told to
    `lstmdrop.data.work_progress`.

    Raises:
        DataError: more than 1% of the images (and more than one) cannot be used, features of one's own differ in
            shape, the disk is too small, or the entry is damaged.
        ConfigError: there is no such encoder.
        MissingPartError: the encoder's package is not installed.
    """
    with torch.random.fork_rng(devices=[]):  # making an encoder draws numbers, which training would then not draw
        return _build(images, config, cache, device)


def _build(images: Sequence[CaptionedImage], config: ImageConfig, cache: Path, device: torch.device) -> FeatureStore:
    files = [image.source for image in images]
    encoder = None if all(map(is_ready, files)) else load_encoder(config, device)
    identity = {
        "version": VERSION,
        "encoder": None if encoder is None else [encoder.fingerprint, encoder.size],
        "ready": [is_ready(path) for path in files].count(True),
        "content": remembered_content(files),
    }
    sha256 = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = cache / sha256[:32]
    if not folder.is_dir():
        with resumable_folder(folder) as unfinished:
            if unfinished is not None:
                _write(files, encoder, config.batch_size, unfinished, sha256)
    store = _open(folder, images)
    _require_few_problems(store)
    return store


def _write(files: Sequence[Path], encoder: ImageEncoder | None, batch_size: int, folder: Path, sha256: str) -> None:
    done = _noted(folder)
    begun = done.number - done.number % batch_size  # whole batches: in other company, features round in another way
    if begun:
        log.warning("images: %d of %d are encoded from before", begun, len(files))
    report_work("encoding images", 0, len(files))
    with (folder / FEATURES).open("r+b") as handle:
        noted = time.monotonic()
        for number, found in enumerate(extract(files[begun:], encoder, batch_size), begun):
            if number % batch_size == 0 and number:
                report_work("encoding images", number, len(files))
                if time.monotonic() - noted >= NOTED_EVERY:
                    _note(done._replace(number=number), folder, handle)
                    noted = time.monotonic()
            if found.features is None:
                done.problems[str(number)] = found.problem.removeprefix(f"{files[number]}: ")
                continue
            shape = found.features.shape
            if not done.shape:
                done = done._replace(shape=shape)
                _require_space(folder, 2 * len(files) * found.features.size)
            if shape != tuple(done.shape):
                raise DataError(
                    f"{files[number]}: features of the shape {shape}, and of the files before it {tuple(done.shape)}"
                )
            # What is skipped, the features of damaged files, reads as zero.
            handle.seek(number * 2 * found.features.size)
            handle.write(np.ascontiguousarray(found.features, np.float16).data)
        report_work("encoding images", len(files), len(files))
        if not done.shape:
            first = f"{files[0]}: {done.problems['0']}" if files else "the split is empty"
            raise DataError(f"none of {len(files)} images can be used; the first:\n{first}")
        handle.truncate(2 * len(files) * math.prod(done.shape))
    index = {"shape": [len(files), *done.shape], "problems": done.problems, "sha256": sha256}
    (folder / INDEX).write_text(to_json(index), encoding="utf-8")
    (folder / JOURNAL).unlink(missing_ok=True)


class _Done(NamedTuple):
    """What a call after an interruption may rely on."""

    number: int
    """Images that are through."""
    shape: Sequence[int]
    """Of the features of each; empty while there are none."""
    problems: dict[str, str]
    """Why images cannot be used, by their numbers."""


def _note(done: _Done, folder: Path, features: BinaryIO) -> None:
    features.flush()
    os.fsync(features.fileno())
    with atomic_file(folder / JOURNAL) as journal:
        journal.write(to_json(done._asdict()).encode())


def _noted(folder: Path) -> _Done:
    """What an interrupted call has noted; what it wrote after that is cut off."""
    features, done = folder / FEATURES, _Done(0, (), {})
    features.touch()
    with suppress(OSError, ValueError, TypeError):  # there is no journal
        done = _Done(**read_json_document(folder / JOURNAL))
    size = 2 * done.number * math.prod(done.shape) if done.shape else 0
    os.truncate(features, size)  # a file that is shorter ends with damaged images, which read as zero
    return done


def _require_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DataError(
            f"{folder.parent}: the features need {num_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free\n"
            "make room, or set LSTMDROP_CACHE to a folder on a larger disk"
        )


def _open(folder: Path, images: Sequence[CaptionedImage]) -> FeatureStore:
    try:
        index = read_json_document(folder / INDEX, MOST_BYTES_OF_LISTS)
        features = np.memmap(folder / FEATURES, np.float16, "r").reshape(index["shape"])
        if len(features) != len(images):
            raise ValueError(f"{len(features)} images in place of {len(images)}")
        damaged = [(images[int(number)], reason) for number, reason in index["problems"].items()]
        problems = {image.id: f"{image.source}: {reason}" for image, reason in damaged}
        return FeatureStore(features, problems, index["sha256"], folder / FEATURES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{folder}: cached features are damaged ({error}); delete the folder and run again") from None


def _require_few_problems(store: FeatureStore) -> None:
    if len(store.problems) > max(1, MOST_PROBLEMS * len(store)):
        first = "\n".join(islice(store.problems.values(), NUM_NAMED))
        raise DataError(
            f"{len(store.problems)} of {len(store):,} images cannot be used, more than 1%; the first:\n{first}"
        )
