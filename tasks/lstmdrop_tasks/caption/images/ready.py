"""Features that somebody else's network has made, as NumPy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstmdrop.data.array_file import array_names, read_array
from lstmdrop.errors import DataError

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
