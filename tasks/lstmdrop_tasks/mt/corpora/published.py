"""Published parallel texts: IWSLT 2014, Multi30k, Tatoeba, and WMT 2014, read from their archives without unpacking."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from lstmdrop.data.archive import DAMAGE, damaged
from lstmdrop.data.lines import REPLACEMENT
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.datasets import IWSLT14_TESTS, WMT14
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.markup import segments
from lstmdrop_tasks.mt.corpora.parallel import (
    Mask,
    PairBlock,
    PairBlocks,
    Side,
    in_blocks,
    member_side,
    mended_member_side,
    plain_side,
)
from lstmdrop_tasks.mt.corpora.recipe import (
    SPLITS,
    CleaningRules,
    Counts,
    Recipe,
    SplitSource,
    from_sides,
    require_files,
    select,
)
from lstmdrop_tasks.mt.corpora.splitting import Deal, deal
from lstmdrop_tasks.mt.corpora.table import table_pairs

IWSLT14_PAIRS = both_ways("de-en")
IWSLT14_RULES = CleaningRules(max_words=175, max_ratio=3.0)
ONE_IN = 23
"""One training line in so many validates."""

ABOUT_THE_TALK = re.compile(r"\s*</?(url|talkid|keywords|speaker|reviewer|translator|doc)\b")
TEXT_TAG = re.compile(r"</?(title|description)>")


def iwslt14(folder: Path, pair: LanguagePair) -> Recipe:
    """How the corpus is made from the unpacked ``de-en.tgz``, split as fairseq's ``prepare-iwslt14.sh`` does.

    Unlike there, the lines are dealt out before they are cleaned: validation has every 23rd line as it is.

    Raises:
        DataError: a file is missing.
    """
    trains = [folder / f"train.tags.de-en.{language}" for language in pair]
    tests = [[folder / f"IWSLT14.{test}.de-en.{language}.xml" for language in pair] for test in IWSLT14_TESTS]
    inputs = (*trains, *(path for sides in tests for path in sides))
    require_files("iwslt14", folder, inputs)
    return Recipe(
        name="iwslt14",
        pair=pair,
        inputs=inputs,
        split=f"every {ONE_IN}rd training line for valid; for test {', '.join(IWSLT14_TESTS)}",
        sources={
            "train": from_sides([_training(path) for path in trains]),
            "valid": from_sides([_validation(path) for path in trains]),
            "test": from_sides(*([segments(plain_side(path)) for path in sides] for sides in tests)),
        },
        rules=IWSLT14_RULES,
    )


def _training(path: Path) -> Side:
    return Side(str(path), lambda: (line for number, line in enumerate(_spoken(path), 1) if number % ONE_IN))


def _validation(path: Path) -> Side:
    return Side(str(path), lambda: (line for number, line in enumerate(_spoken(path), 1) if number % ONE_IN == 0))


def _spoken(path: Path) -> Iterator[str]:
    """The lines of the talks with their titles and descriptions, and without what else is noted about them."""
    for line in plain_side(path).lines():
        if not ABOUT_THE_TALK.match(line):
            yield TEXT_TAG.sub("", line).strip()


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
        sources={split: from_sides([plain_side(path) for path in sides]) for split, sides in files.items()},
    )


TATOEBA_PAIRS = both_ways("en-fr")
ARCHIVE = "fra-eng.zip"
TABLE = "fra.txt"
NUM_HELD_OUT = 2000
"""English sentences in each of validation and test."""


def tatoeba(folder: Path, pair: LanguagePair) -> Recipe:
    """How the corpus is made from the archive as published, dealt out by `lstmdrop_tasks.mt.corpora.splitting`.

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
            for english, french, _ in in_blocks(iter(dealt()[split].pairs)):
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
