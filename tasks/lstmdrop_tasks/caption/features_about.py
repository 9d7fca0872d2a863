"""What a run knows of the features that its network reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.images.ready import is_ready
from lstmdrop_tasks.caption.images.store import FeatureStore

NAME = "images.json"
READY_MADE = "features"
"""In place of an encoder's name: nobody says which network made them."""


@dataclass(frozen=True, slots=True)
class FeaturesAbout:
    """Their shape, and which encoder gave them."""

    encoder: str
    num_channels: int
    num_positions: int
    """Places of the map; 0 where there is a vector alone."""

    def __str__(self) -> str:
        places = f", {self.num_positions} places" if self.num_positions else ", no map"
        return f"{self.encoder}, {self.num_channels:,} channels{places}"

    @classmethod
    def of(cls, store: FeatureStore, config: ImageConfig, files: Sequence[Path]) -> FeaturesAbout:
        """Of the features of a split's files: made by the encoder, unless they came ready.

        Raises:
            DataError: some came ready and some did not, so that nothing says that one encoder made them all.
        """
        ready = [is_ready(path) for path in files]
        if any(ready) and not all(ready):
            one, other = files[ready.index(True)], files[ready.index(False)]
            raise DataError(f"{one} is ready-made features and {other} is not: train on one kind")
        _, num_rows, num_channels = store.features.shape
        return cls(READY_MADE if all(ready) else config.encoder, num_channels, num_rows - 1)

    def save(self, assets: Path) -> None:
        """Write what `load` reads."""
        with atomic_file(assets / NAME) as handle:
            handle.write(json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, assets: Path) -> FeaturesAbout:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            return cls(**json.loads((assets / NAME).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{assets / NAME}: cannot be read ({error})") from None
