"""Karpathy's files of splits, ``dataset_coco.json`` and the like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.caption.corpora.splits import CaptionCollector, Captions, text_of

SPLIT_OF: dict[str, Split] = {"train": "train", "restval": "train", "val": "valid", "test": "test"}
"""``restval`` is what COCO's validation images are used for that are neither val nor test."""


@dataclass(frozen=True, slots=True)
class KarpathyImage:
    """An image of such a file."""

    name: str
    folder: str
    """Of COCO: ``train2014`` or ``val2014``; else empty."""
    split: Split
    captions: tuple[str, ...]


def read_karpathy(path: Path) -> tuple[KarpathyImage, ...]:
    """The images of a file of splits.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        entries = json.loads(path.read_bytes(), object_hook=_sentence)["images"]
        return tuple(_images(path, entries))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a file of splits such as Karpathy's ({error!r})") from None


def names_by_split(images: tuple[KarpathyImage, ...]) -> dict[Split, list[str]]:
    """The images of each split."""
    names: dict[Split, list[str]] = {"train": [], "valid": [], "test": []}
    for image in images:
        names[image.split].append(image.name)
    return names


def captions_of(images: tuple[KarpathyImage, ...]) -> Captions:
    """The captions, as far as the file has them."""
    collector = CaptionCollector()
    for image in images:
        for caption in image.captions:
            collector.add(image.name, caption)
    return collector.collected()


def _sentence(entry: dict[str, Any]) -> Any:
    # A caption as it was written is all that is kept of it: the tokens would take most of a gigabyte.
    if "raw" in entry:
        return entry["raw"]
    tokens = entry.get("tokens")
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return " ".join(tokens)
    return entry


def _images(path: Path, entries: list[dict[str, Any]]) -> Iterator[KarpathyImage]:
    for entry in entries:
        name, split, folder = entry["filename"], entry["split"], entry.get("filepath") or ""
        if not isinstance(name, str) or not name or not isinstance(folder, str):
            raise DataError(f"{path}: an image is called {name!r} in {folder!r}, and both must be texts")
        if not isinstance(split, str) or split not in SPLIT_OF:
            raise DataError(f"{path}: {name} is in the split {split!r}; known: {', '.join(SPLIT_OF)}")
        sentences = entry.get("sentences", [])
        if not isinstance(sentences, list):
            raise DataError(f"{path}: {name}: 'sentences' must be a list of captions, not {sentences!r}")
        captions = tuple(text_of(caption, f"{path}: {name}") for caption in sentences)
        yield KarpathyImage(name, folder, SPLIT_OF[split], captions)
