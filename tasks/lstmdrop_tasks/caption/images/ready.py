"""Features that somebody else's network has made, as NumPy files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.errors import DataError

Features = npt.NDArray[np.float32]
"""Shape ``(rows, channels)``: row 0 is the vector, the others are the map."""

SUFFIXES = (".npy", ".npz")


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
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            vector, places = _from_npz(file) if path.suffix.lower() == ".npz" else _from_npy(file)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not features that can be read ({reason})") from None
    if vector is None:
        vector = places.mean(axis=0, dtype=np.float32)
    if places.size and places.shape[1] != len(vector):
        raise DataError(f"{path}: the vector has {len(vector)} channels, the map {places.shape[1]}")
    return np.concatenate([vector[None], places.reshape(-1, len(vector))])


def _from_npz(file: BinaryIO) -> tuple[Features | None, Features]:
    with np.load(file, allow_pickle=False) as arrays:
        if not {"vector", "map"} & set(arrays.files):
            raise ValueError(f"it has neither 'vector' nor 'map', but {', '.join(arrays.files) or 'nothing'}")
        vector = arrays["vector"].astype(np.float32) if "vector" in arrays.files else None
        if vector is not None and (vector.ndim != 1 or not vector.size):
            raise ValueError(f"the vector has the shape {vector.shape}")
        return vector, _places(arrays["map"]) if "map" in arrays.files else np.zeros((0, 0), np.float32)


def _from_npy(file: BinaryIO) -> tuple[Features | None, Features]:
    array = np.load(file, allow_pickle=False)
    if array.ndim == 1 and array.size:
        return array.astype(np.float32), np.zeros((0, 0), np.float32)
    return None, _places(array)


def _places(array: npt.NDArray[np.generic]) -> Features:
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"a map has the shape (positions, channels) or (height, width, channels), not {array.shape}")
    return array.reshape(-1, array.shape[-1]).astype(np.float32)
