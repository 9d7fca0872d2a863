"""The features and frame labels of a split, computed once, on disk, mapped into memory."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file, resumable_folder
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError
from lstmdrop.parsing import MOST_BYTES_OF_LISTS, parse_json, read_json_document, to_json
from lstmdrop_tasks.asr.audio.extraction import Extracted, content_of, extract
from lstmdrop_tasks.asr.audio.features import Features
from lstmdrop_tasks.asr.config import FeatureConfig
from lstmdrop_tasks.asr.corpora.utterances import Utterance

VERSION = 1
"""To be raised when the same sources come to give other features."""

READER = 2
"""To be raised when only some sources come to give other features: their identity stays what it was."""

TOOLS = ("kaldi-native-fbank", "soundfile", "soxr")
FEATURES, LABELS, INDEX, JOURNAL = "features.bin", "labels.bin", "index.json", "journal.json"

AT_ONCE = 64
"""Utterances after which what has been extracted is safe from an interruption."""

log = logging.getLogger("lstmdrop.asr")


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
    folder = cache / hashlib.sha256(f"{sha256} {_tools()}".encode()).hexdigest()[:32]
    if not folder.is_dir():
        with resumable_folder(folder) as unfinished:
            if unfinished is not None:
                _write(utterances, config, unfinished, labelled, speed, sha256)
    return _open(folder)


def _tools() -> str:
    """What reads sound and makes features of it: another version may give others, of the same data."""
    return " ".join([f"reader {READER}", *(f"{name} {version(name)}" for name in TOOLS)])


def _write(
    utterances: Sequence[Utterance], config: FeatureConfig, folder: Path, labelled: bool, speed: float, sha256: str
) -> None:
    entries = _noted(folder)
    if entries:
        log.warning("features: %d of %d utterances are there from before", len(entries), len(utterances))
    phones = {phone: number for number, phone in enumerate(phone for entry in entries for phone in entry.phones)}
    with (folder / FEATURES).open("ab") as features, (folder / LABELS).open("ab") as labels:
        while len(entries) < len(utterances):
            report_work("extracting features", len(entries), len(utterances))
            num_before = len(entries)
            for utterance in utterances[num_before : num_before + AT_ONCE]:
                found = extract(utterance, config, labelled=labelled, speed=speed)
                entries.append(_append(found, phones, features, labels))
                _require_one_size(entries, utterance)
            _note(entries[num_before:], folder, features, labels)
    report_work("extracting features", len(utterances), len(utterances))
    index = _index(entries, utterances)
    (folder / INDEX).write_text(to_json({**index, "labelled": labelled, "sha256": sha256}), encoding="utf-8")
    (folder / JOURNAL).unlink()


class _Entry(NamedTuple):
    """What became of one utterance."""

    frames: int
    size: int
    labels: int
    seconds: float
    problem: str
    mismatch: str
    phones: Sequence[str]
    """Those that none before it had."""


def _append(found: Extracted, phones: dict[str, int], features: BinaryIO, labels: BinaryIO) -> _Entry:
    features.write(np.ascontiguousarray(found.features, np.float32).data)
    num_known = len(phones)
    numbers = [phones.setdefault(phone, len(phones)) for phone in found.labels]
    labels.write(np.array(numbers, np.int16).data)
    new = list(phones)[num_known:]
    frames, size = found.features.shape
    return _Entry(frames, size, len(numbers), found.seconds, found.problem, found.mismatch, new)


def _note(entries: Sequence[_Entry], folder: Path, *files: BinaryIO) -> None:
    """A line that a call after an interruption may rely on."""
    with (folder / JOURNAL).open("ab") as journal:
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        journal.write(to_json(entries).encode() + b"\n")


def _noted(folder: Path) -> list[_Entry]:
    """What an interrupted call has noted; what it wrote after that is cut off."""
    entries: list[_Entry] = []
    with suppress(OSError, ValueError, TypeError):  # there is no journal yet, or its last line is torn
        for line in (folder / JOURNAL).read_bytes().splitlines():
            entries += [_Entry(*values) for values in parse_json(line)]
    sizes = {
        FEATURES: sum(4 * entry.frames * entry.size for entry in entries),
        LABELS: sum(2 * e.labels for e in entries),
    }
    for name in sizes:
        (folder / name).touch()
    if any((folder / name).stat().st_size < size for name, size in sizes.items()):
        entries, sizes = [], dict.fromkeys(sizes, 0)
    for name, size in sizes.items():
        os.truncate(folder / name, size)
    with atomic_file(folder / JOURNAL) as journal:
        journal.write(to_json(entries).encode() + b"\n")
    return entries


def _require_one_size(entries: Sequence[_Entry], last: Utterance) -> None:
    size = next((entry.size for entry in entries if entry.frames), 0)
    if entries[-1].frames and entries[-1].size != size:
        raise DataError(f"{last.source}: {entries[-1].size} features a frame, and the files before it have {size}")


def _index(entries: Sequence[_Entry], utterances: Sequence[Utterance]) -> dict[str, Any]:
    pairs = list(zip(utterances, entries, strict=True))
    problems = {utterance.id: entry.problem for utterance, entry in pairs if entry.problem}
    mismatches = {utterance.id: entry.mismatch for utterance, entry in pairs if entry.mismatch}
    size = next((entry.size for entry in entries if entry.frames), 0)
    if not size:
        first = next(iter({**problems, **mismatches}.items()), ("", "the split is empty"))
        raise DataError(f"none of {len(utterances)} utterances can be used; the first, {first[0]}: {first[1]}")
    return {
        "size": size, "lengths": [entry.frames for entry in entries], "problems": problems, "mismatches": mismatches,
        "seconds": sum(entry.seconds for entry in entries if entry.frames),
        "phones": [phone for entry in entries for phone in entry.phones],
    }  # fmt: skip


def _open(folder: Path) -> FeatureStore:
    try:
        index = read_json_document(folder / INDEX, MOST_BYTES_OF_LISTS)
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
