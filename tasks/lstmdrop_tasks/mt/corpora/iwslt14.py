"""IWSLT 2014, German and English: transcribed TED talks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lstmdrop_tasks.mt.corpora.cleaning import CleaningRules
from lstmdrop_tasks.mt.corpora.datasets import IWSLT14_TESTS
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.recipe import Recipe, from_sides
from lstmdrop_tasks.mt.corpora.requirement import require_files
from lstmdrop_tasks.mt.corpora.side import Side, plain_side, segments

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
