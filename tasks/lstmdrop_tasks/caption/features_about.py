"""What a run knows of the features that its network reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.images.store import FeatureStore

NAME = "images.json"


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
    def of(cls, store: FeatureStore, config: ImageConfig) -> FeaturesAbout:
        """Of the features of a split."""
        _, num_rows, num_channels = store.features.shape
        return cls(config.encoder, num_channels, num_rows - 1)

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
