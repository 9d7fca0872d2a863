"""What a run's predictions are scored against when they are scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lstmdrop.metrics.captions import caption_segments
from lstmdrop.metrics.segments import SegmentsOf
from lstmdrop.plugin import ScoredItem
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.corpora.find import find_corpus


def references(config: CaptionConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    """The test images beside their published captions.

    Raises:
        DataError: the data is missing or damaged.
    """
    images = find_corpus(config.data.name, data_dir, split_seed=config.data.split_seed).splits["test"]
    return [ScoredItem(list(image.captions), image=image.source) for image in images]


def segments(config: CaptionConfig) -> Mapping[str, SegmentsOf]:
    """What makes each score from lines of predictions and from references as `references` gives them."""
    return caption_segments(config.scoring.cut)
