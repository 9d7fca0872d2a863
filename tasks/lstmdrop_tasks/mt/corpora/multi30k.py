"""Multi30k, task 1: image descriptions and their translations, tested on the Flickr images of 2016."""

from __future__ import annotations

from pathlib import Path

from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.recipe import Recipe, from_sides
from lstmdrop_tasks.mt.corpora.requirement import require_files
from lstmdrop_tasks.mt.corpora.side import gzip_side

MULTI30K_PAIRS = both_ways("en-fr", "en-de", "fr-de")
PUBLISHED = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def multi30k(folder: Path, pair: LanguagePair) -> Recipe:
    """How the corpus is made from the nine files as published.

    Raises:
        DataError: a file is missing.
    """
    files = {split: [folder / f"{name}.{language}.gz" for language in pair] for split, name in PUBLISHED.items()}
    inputs = tuple(path for sides in files.values() for path in sides)
    require_files("multi30k", folder, inputs)
    return Recipe(
        name="multi30k",
        pair=pair,
        inputs=inputs,
        split="as published; tested on test_2016_flickr",
        sources={split: from_sides([gzip_side(path) for path in sides]) for split, sides in files.items()},
    )
