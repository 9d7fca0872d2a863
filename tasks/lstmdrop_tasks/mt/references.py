"""What a run's predictions are scored against when they are scored again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.text import read_lines
from lstmdrop.plugin import ScoredItem
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.corpora.find import find_corpus


def references(config: MTConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    """The test sentences beside their translations.

    Raises:
        DataError: the data is missing or damaged.
    """
    text = find_corpus(config.data.name, config.data.pair, data_dir, config.data.layout).test
    pairs = zip(read_lines(text.source), text.references(), strict=True)
    return [ScoredItem(translations, source) for source, translations in pairs]
