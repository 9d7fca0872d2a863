"""The features and frame labels of a split, computed once, on disk, mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.extraction import Extracted, extract
from lstmdrop_tasks.asr.audio.features import Features
from lstmdrop_tasks.asr.audio.identity import content_of
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.utterance import Utterance

VERSION = 1
"""To be raised when the same sources come to give other features."""

FEATURES, LABELS, INDEX = "features.bin", "labels.bin", "index.json"


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The frames of all utterances of a split, one after the other."""

    frames: Features
    """Shape ``(frames, features)``, read-only, mapped."""
    labels: npt.NDArray[np.int16] | None
    """Of each frame the number of its phone in ``phones``; None where no labels were asked for."""
    phones: Sequence[str]
    offsets: npt.NDArray[np.int64]
    """``frames[offsets[n]:offsets[n + 1]]`` is utterance n; an unusable one has no frame."""
    seconds: float
    problems: Mapping[str, str]
    """The ids of damaged utterances, and why."""
    mismatches: Mapping[str, str]
    """The ids of utterances without a fitting alignment, and why."""
    sha256: str
    """Identity of the sources and of how the features were made."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Frames of each utterance."""
        return np.diff(self.offsets)

    def features(self, number: int) -> Features:
        """The frames of one utterance."""
        return self.frames[self.offsets[number] : self.offsets[number + 1]]

    def phones_of(self, number: int) -> npt.NDArray[np.int16]:
        """The labels of one utterance.

        Raises:
            ValueError: the store was made without labels.
        """
        if self.labels is None:
            raise ValueError("this store has no labels")
        return self.labels[self.offsets[number] : self.offsets[number + 1]]


def build_store(
    utterances: Sequence[Utterance], config: FeatureConfig, cache: Path, *, labelled: bool, speed: float = 1.0
) -> FeatureStore:
    """Map the features of a split, computing them into ``cache`` if no earlier call has.

    Raises:
        DataError: no utterance can be used, they differ in their number of features, or the entry is damaged.
    """
    identity = {
        "version": VERSION,
        "settings": config.model_dump(mode="json", exclude={"normalisation"}),
        "labelled": labelled,
        "speed": speed,
        "content": content_of(utterances, labelled=labelled),
    }
    sha256 = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = cache / sha256[:32]
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            _write(utterances, config, unfinished, labelled, speed, sha256)
    return _open(folder)


def _write(
    utterances: Sequence[Utterance], config: FeatureConfig, folder: Path, labelled: bool, speed: float, sha256: str
) -> None:
    phones: dict[str, int] = {}
    lengths: list[int] = []
    problems: dict[str, str] = {}
    mismatches: dict[str, str] = {}
    size, seconds = 0, 0.0
    with (folder / FEATURES).open("wb") as features, (folder / LABELS).open("wb") as labels:
        for utterance in utterances:
            found = extract(utterance, config, labelled=labelled, speed=speed)
            if found.problem or found.mismatch:
                kind, reason = (problems, found.problem) if found.problem else (mismatches, found.mismatch)
                kind[utterance.id] = reason
                lengths.append(0)
                continue
            width = found.features.shape[1]
            if size and width != size:
                raise DataError(f"{utterance.source}: {width} features a frame, and the files before it have {size}")
            size, seconds = width, seconds + found.seconds
            lengths.append(len(found.features))
            _append(found, phones, features, labels)
    if not size:
        first = next(iter({**problems, **mismatches}.items()), ("", "the split is empty"))
        raise DataError(f"none of {len(utterances)} utterances can be used; the first, {first[0]}: {first[1]}")
    index = {
        "size": size, "lengths": lengths, "seconds": seconds, "phones": list(phones), "labelled": labelled,
        "problems": problems, "mismatches": mismatches, "sha256": sha256,
    }  # fmt: skip
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _append(found: Extracted, phones: dict[str, int], features: BinaryIO, labels: BinaryIO) -> None:
    np.ascontiguousarray(found.features, np.float32).tofile(features)
    numbers = [phones.setdefault(phone, len(phones)) for phone in found.labels]
    np.array(numbers, np.int16).tofile(labels)


def _open(folder: Path) -> FeatureStore:
    try:
        index = json.loads((folder / INDEX).read_bytes())
        frames = np.memmap(folder / FEATURES, np.float32, "r").reshape(-1, index["size"])
        labels = np.memmap(folder / LABELS, np.int16, "r") if index["labelled"] else None
        offsets = np.concatenate([[0], np.cumsum(index["lengths"], dtype=np.int64)])
        if len(frames) != offsets[-1] or (labels is not None and len(labels) != offsets[-1]):
            raise ValueError(f"{len(frames)} frames in place of {offsets[-1]}")
        return FeatureStore(
            frames, labels, index["phones"], offsets, index["seconds"],
            index["problems"], index["mismatches"], index["sha256"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: cached features are damaged ({error}); delete the folder and run again") from None
