"""From files to features, a batch at a time, or what is wrong with each; and features that are there already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lstmdrop.data.array_file import array_names, read_array
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.images.encoder import ImageEncoder, load_encoder
from lstmdrop_tasks.caption.images.reading import Pixels, read_image

Features = npt.NDArray[np.float32]
"""Shape ``(rows, channels)``: row 0 is the vector, the others are the map."""

SUFFIXES = (".npy", ".npz")

NO_MAP: Features = np.zeros((0, 0), np.float32)


def is_ready(path: Path) -> bool:
    """Whether a file holds features in place of an image."""
    return path.suffix.lower() in SUFFIXES


def read_ready(path: Path) -> Features:
    """The features of one image.

    An ``.npy`` file holds a vector ``(channels,)`` or a map, ``(positions, channels)`` or ``(height, width,
    channels)``; an ``.npz`` file holds them as ``vector`` and ``map``, one or both. The vector of a map alone is
    its mean; a vector alone is one row.

    Raises:
        DataError: the file is missing or damaged, or its shapes are none of these.
    """
    vector, places = _from_npz(path) if path.suffix.lower() == ".npz" else _from_npy(path)
    if vector is None:
        vector = places.mean(axis=0, dtype=np.float32)
    if places.size and places.shape[1] != len(vector):
        raise DataError(f"{path}: the vector has {len(vector)} channels, the map {places.shape[1]}")
    return np.concatenate([vector[None], places.reshape(-1, len(vector))])


def _from_npz(path: Path) -> tuple[Features | None, Features]:
    names = array_names(path)
    if not {"vector", "map"} & set(names):
        raise DataError(f"{path}: it has neither 'vector' nor 'map', but {', '.join(names) or 'nothing'}")
    vector = read_array(path, name="vector").astype(np.float32) if "vector" in names else None
    if vector is not None and vector.ndim != 1:
        raise DataError(f"{path}: the vector has the shape {vector.shape}")
    return vector, _places(path, read_array(path, name="map")) if "map" in names else NO_MAP


def _from_npy(path: Path) -> tuple[Features | None, Features]:
    array = read_array(path)
    return (array.astype(np.float32), NO_MAP) if array.ndim == 1 else (None, _places(path, array))


def _places(path: Path, array: npt.NDArray[np.generic]) -> Features:
    if array.ndim not in (2, 3):
        raise DataError(
            f"{path}: a map has the shape (positions, channels) or (height, width, channels), not {array.shape}"
        )
    return array.reshape(-1, array.shape[-1]).astype(np.float32)


THREADS = min(8, os.cpu_count() or 1)
"""That read files while the encoder works on the batch before."""

FIT_THE_CACHE = 4
"""Images that a processor encodes together: of more, what lies between the layers leaves its cache (measured)."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of a file."""

    features: Features | None
    problem: str = ""
    """Why it cannot be used; begins with its name."""


class FileEncoder:
    """Encodes files that belong to no store; the network is loaded for the first image.

    Raises:
        ConfigError, MissingPartError: at the first image, as `load_encoder`.
    """

    def __init__(self, config: ImageConfig, device: torch.device) -> None:
        self.config = config
        self.device = device

    @cached_property
    def _encoder(self) -> ImageEncoder | None:
        return load_encoder(self.config, self.device)

    def __call__(self, files: Sequence[Path]) -> list[Extracted]:
        """The features of each file, shape ``(1 + positions, channels)``, rounded as a store would give them."""
        encoder = None if all(map(is_ready, files)) else self._encoder
        return [_rounded(found) for found in extract(files, encoder, self.config.batch_size)]


def extract(files: Sequence[Path], encoder: ImageEncoder | None, batch_size: int) -> Iterator[Extracted]:
    """The features of each file in turn; trouble is told, not raised.

    Two batches are in memory at a time.
    """
    with ThreadPoolExecutor(min(THREADS, batch_size)) as readers:

        def reading(start: int) -> list[Future[Pixels | Extracted]]:
            return [readers.submit(_read, path, encoder) for path in files[start : start + batch_size]]

        waiting = reading(0)
        for start in range(0, len(files), batch_size):
            batch, waiting = waiting, reading(start + batch_size)
            found = _encode([future.result() for future in batch], encoder)
            for path, extracted in zip(files[start : start + batch_size], found, strict=True):
                yield _checked(extracted, path)


def _read(path: Path, encoder: ImageEncoder | None) -> Pixels | Extracted:
    try:
        if is_ready(path):
            return Extracted(read_ready(path))
        if encoder is None:
            raise DataError(f"{path}: images.encoder=features reads .npy and .npz files, and this is none")
        return read_image(path, encoder.size)
    except DataError as error:
        return Extracted(None, str(error))


def _encode(batch: Sequence[Pixels | Extracted], encoder: ImageEncoder | None) -> Iterator[Extracted]:
    pixels = [item for item in batch if not isinstance(item, Extracted)]
    encoded = iter(()) if encoder is None or not pixels else iter(_encode_pixels(pixels, encoder))
    return (item if isinstance(item, Extracted) else Extracted(next(encoded)) for item in batch)


def _encode_pixels(pixels: Sequence[Pixels], encoder: ImageEncoder) -> Features:
    batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    at_once = FIT_THE_CACHE if encoder.device.type == "cpu" else len(batch)
    parts = [batch[start : start + at_once] for start in range(0, len(batch), at_once)]
    features: Features = torch.cat([encoder.encode(part).float().cpu() for part in parts]).numpy()
    return features


def _rounded(extracted: Extracted) -> Extracted:
    if extracted.features is None:
        return extracted
    return Extracted(extracted.features.astype(np.float16).astype(np.float32))


def _checked(extracted: Extracted, path: Path) -> Extracted:
    # Stored in half precision, so what that cannot hold is as bad as what is no number.
    if extracted.features is None or np.abs(extracted.features).max() <= np.finfo(np.float16).max:
        return extracted
    return Extracted(None, f"{path}: some features are not finite or too large for float16")
