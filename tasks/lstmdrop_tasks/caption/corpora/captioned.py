"""Images with their captions, and a corpus of them in its three splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.task import Split


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image and what people wrote about it."""

    id: str
    source: Path
    """An image file, or its features as an ``.npy`` or ``.npz`` file."""
    captions: tuple[str, ...]
    """One at least; each has a word."""


@dataclass(frozen=True, slots=True)
class CaptionCorpus:
    """Captioned images in three splits that share none."""

    name: str
    splits: Mapping[Split, tuple[CaptionedImage, ...]]
    split: str
    """How the images came to their splits."""
    dropped: str
    """What was left out; empty if nothing was."""
