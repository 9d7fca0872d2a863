"""Utterances, and a corpus of them in its three splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lstmdrop.task import Split


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech and what is known of it."""

    id: str
    source: Path
    """A sound file, or precomputed features as an ``.npy`` file of shape ``(frames, features)``."""
    text: str | None = None
    speaker: str | None = None
    alignment: Path | None = None
    """A TextGrid of its own, or a CTM of many utterances."""
    start: float | None = None
    """Where it begins in a longer recording, in seconds."""
    end: float | None = None
    where: str = ""
    """The line that lists it, as ``file:line``."""

    @property
    def has_features(self) -> bool:
        """Whether the source is features in place of sound."""
        return self.source.suffix.lower() == ".npy"


@dataclass(frozen=True, slots=True)
class SpeechCorpus:
    """Recordings in three splits; none shares a speaker with another where speakers are known."""

    name: str
    splits: Mapping[Split, tuple[Utterance, ...]]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """The ids of utterances that the corpus names but that cannot be used, and why."""
