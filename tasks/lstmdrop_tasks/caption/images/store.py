"""The features of a split, computed once, on disk, mapped into memory."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.many_files import remembered_content
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.images.encoder import ImageEncoder, load_encoder
from lstmdrop_tasks.caption.images.extraction import extract
from lstmdrop_tasks.caption.images.ready import Features, is_ready

VERSION = 1
"""To be raised when the same files come to give other features."""

MOST_PROBLEMS = 0.01
"""The share of damaged images up to which a split can be used; a single one never stops a run."""

NUM_NAMED = 5
"""Damaged images that an error names."""

FEATURES, INDEX = "features.bin", "index.json"


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
    size. How far the work has come is told to `lstmdrop.data.work_progress`.

    Raises:
        DataError: more than 1% of the images (and more than one) cannot be used, features of one's own differ in
            shape, the disk is too small, or the entry is damaged.
        ConfigError: there is no such encoder.
        MissingPartError: the encoder's package is not installed.
    """
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
        with atomic_folder(folder) as unfinished:
            _write(files, encoder, config.batch_size, unfinished, sha256)
    store = _open(folder, images)
    _require_few_problems(store)
    return store


def _write(files: Sequence[Path], encoder: ImageEncoder | None, batch_size: int, folder: Path, sha256: str) -> None:
    shape: tuple[int, ...] = ()
    problems: dict[int, str] = {}
    with (folder / FEATURES).open("wb") as handle:
        for number, found in enumerate(extract(files, encoder, batch_size)):
            if number % batch_size == 0:
                report_work("encoding images", number, len(files))
            if found.features is None:
                problems[number] = found.problem.removeprefix(f"{files[number]}: ")
                continue
            if not shape:
                shape = found.features.shape
                _require_space(folder, 2 * len(files) * found.features.size)
            if found.features.shape != shape:
                raise DataError(
                    f"{files[number]}: features of the shape {found.features.shape}, and of the files before it {shape}"
                )
            # What is skipped, the features of damaged files, reads as zero.
            handle.seek(number * 2 * found.features.size)
            found.features.astype(np.float16).tofile(handle)
        report_work("encoding images", len(files), len(files))
        if not shape:
            first = f"{files[0]}: {problems[0]}" if files else "the split is empty"
            raise DataError(f"none of {len(files)} images can be used; the first:\n{first}")
        handle.truncate(2 * len(files) * shape[0] * shape[1])
    index = {"shape": [len(files), *shape], "problems": problems, "sha256": sha256}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _require_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DataError(
            f"{folder.parent}: the features need {num_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free\n"
            "make room, or set LSTMDROP_CACHE to a folder on a larger disk"
        )


def _open(folder: Path, images: Sequence[CaptionedImage]) -> FeatureStore:
    try:
        index = json.loads((folder / INDEX).read_bytes())
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
