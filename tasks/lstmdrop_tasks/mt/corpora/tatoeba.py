"""Tatoeba: short English sentences, each with one or more French translations."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

from lstmdrop.data.archive import DAMAGE, damaged
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.cleaning import Counts
from lstmdrop_tasks.mt.corpora.dealing import Deal, deal
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.parallel import PairBlock, PairBlocks, in_blocks
from lstmdrop_tasks.mt.corpora.recipe import SPLITS, Recipe, SplitSource
from lstmdrop_tasks.mt.corpora.requirement import require_files
from lstmdrop_tasks.mt.corpora.side import member_side
from lstmdrop_tasks.mt.corpora.table import table_pairs

TATOEBA_PAIRS = both_ways("en-fr")
ARCHIVE = "fra-eng.zip"
TABLE = "fra.txt"
NUM_HELD_OUT = 2000
"""English sentences in each of validation and test."""


def tatoeba(folder: Path, pair: LanguagePair) -> Recipe:
    """How the corpus is made from the archive as published, dealt out by `lstmdrop_tasks.mt.corpora.dealing`.

    Raises:
        DataError: the archive is missing, damaged or another one.
    """
    archive = folder / ARCHIVE
    require_files("tatoeba", folder, [archive])
    table = member_side(archive, _find_table(archive))

    @cache
    def dealt() -> dict[str, Deal]:
        return deal(table_pairs(table), NUM_HELD_OUT)

    def source(split: str) -> SplitSource:
        def blocks(counts: Counts) -> PairBlocks:
            counts.update(dealt()[split].left_out)
            for english, french in in_blocks(iter(dealt()[split].pairs)):
                yield PairBlock(english, french) if pair.source == "en" else PairBlock(french, english)

        return blocks

    return Recipe(
        name="tatoeba",
        pair=pair,
        inputs=(archive,),
        split=f"by English sentence whatever its case and punctuation, up to {NUM_HELD_OUT:,} each for valid and test "
        "with one translation; no French sentence in two splits",
        sources={split: source(split) for split in SPLITS},
    )


def _find_table(archive: Path) -> str:
    # Releases keep it at the top or in a folder, and a Mac adds a shadow under another name.
    try:
        with zipfile.ZipFile(archive) as contents:
            names = [name for name in contents.namelist() if name.rpartition("/")[2] == TABLE]
    except DAMAGE as error:
        raise damaged(archive, error) from None
    if not names:
        raise DataError(f"{archive}: there is no {TABLE} in it; it is not the published archive")
    return names[0]
