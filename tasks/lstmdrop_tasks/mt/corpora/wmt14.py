"""WMT 2014: English with French or German, read from the archives without unpacking them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lstmdrop.data.lines import REPLACEMENT
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.cleaning import CleaningRules, Counts, select
from lstmdrop_tasks.mt.corpora.datasets import WMT14
from lstmdrop_tasks.mt.corpora.duplicates import Mask
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.parallel import PairBlocks
from lstmdrop_tasks.mt.corpora.recipe import Recipe, SplitSource, from_sides
from lstmdrop_tasks.mt.corpora.side import Side, member_side, mended_member_side, segments

WMT14_PAIRS = both_ways("en-fr", "en-de")
WMT14_RULES = CleaningRules(max_words=80, max_ratio=3.0, drop_duplicates=True)

EUROPARL = "training-parallel-europarl-v7.tgz"
COMMON_CRAWL = "training-parallel-commoncrawl.tgz"
UNITED_NATIONS = "training-parallel-un.tgz"
NEWS_COMMENTARY = "training-parallel-nc-v9.tgz"
GIGA = "training-giga-fren.tar"
DEV = "dev.tgz"
TEST = "test-full.tgz"

TRAINING = {
    "fr": {
        EUROPARL: "training/europarl-v7.fr-en.{}",
        COMMON_CRAWL: "commoncrawl.fr-en.{}",
        UNITED_NATIONS: "un/undoc.2000.fr-en.{}",
        NEWS_COMMENTARY: "training/news-commentary-v9.fr-en.{}",
        GIGA: "giga-fren.release2.fixed.{}.gz",
    },
    "de": {
        EUROPARL: "training/europarl-v7.de-en.{}",
        COMMON_CRAWL: "commoncrawl.de-en.{}",
        NEWS_COMMENTARY: "training/news-commentary-v9.de-en.{}",
    },
}
"""The member of each archive, by the language that is not English; the braces take a language."""

VALIDATION = ("dev/newstest2012", "dev/newstest2013")


def wmt14(folder: Path, pair: LanguagePair) -> Recipe:
    """How the corpus is made from the archives as published; only those of the pair need be there.

    Validation is newstest2012 and newstest2013, the test newstest2014 (the full one, 3,003 sentences of French).

    Raises:
        DataError: an archive is missing.
    """
    other = pair.target if pair.source == "en" else pair.source
    training = TRAINING[other]
    inputs = tuple(folder / name for name in (*training, DEV, TEST))
    if missing := [path.name for path in inputs if not path.is_file()]:
        raise DataError(_not_here(pair, missing, folder))
    return Recipe(
        name="wmt14",
        pair=pair,
        inputs=inputs,
        split="newstest2012 and newstest2013 for valid, newstest2014 (full) for test",
        sources={
            "train": _without_undecoded(
                from_sides(*(_members(folder / name, member, pair) for name, member in training.items()))
            ),
            "valid": from_sides(*(_news(folder / DEV, name, pair) for name in VALIDATION)),
            "test": from_sides(_news(folder / TEST, f"test-full/newstest2014-{other}en", pair)),
        },
        rules=WMT14_RULES,
    )


def _members(archive: Path, member: str, pair: LanguagePair) -> list[Side]:
    return [mended_member_side(archive, member.format(language)) for language in pair]


def _news(archive: Path, name: str, pair: LanguagePair) -> list[Side]:
    published = (f"{name}-src.{pair.source}.sgm", f"{name}-ref.{pair.target}.sgm")
    return [segments(member_side(archive, member)) for member in published]


def _without_undecoded(source: SplitSource) -> SplitSource:
    """Nobody mends a line in a published archive, so pairs with bytes that are not UTF-8 are left out."""

    def blocks(counts: Counts) -> PairBlocks:
        for block in source(counts):
            keep = ~(_undecoded(block.sources) | _undecoded(block.targets))
            counts["not_utf8"] += int(np.count_nonzero(~keep))
            yield block if keep.all() else select(block, keep)

    return blocks


def _undecoded(lines: Iterable[str]) -> Mask:
    return np.array([REPLACEMENT in line for line in lines])


def _not_here(pair: LanguagePair, missing: Sequence[str], folder: Path) -> DataError:
    sizes = {file.name: file.size for file in WMT14.files}
    named = [f"{name} ({size / 1e9:.1f} GB)" if (size := sizes[name]) else name for name in missing]
    known = [size for name in missing if (size := sizes[name])]
    total = f", {sum(known) / 1e9:.1f} GB in all" if len(known) > 1 else ""
    return DataError(
        f"wmt14 {pair} needs archives that are not in {folder}: {', '.join(named)}{total}\n"
        f"put them there, or get the whole dataset with: lstmdrop data prepare wmt14"
    )
