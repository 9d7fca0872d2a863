"""From published files to a parallel corpus: cleaned, written once into the cache, and reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.cleaning import CleaningRules, Counts, clean
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair
from lstmdrop_tasks.mt.corpora.parallel import PairBlocks, ParallelCorpus, ParallelText, Report, aligned
from lstmdrop_tasks.mt.corpora.side import Side
from lstmdrop_tasks.mt.corpora.writing import write_different_pairs, write_pairs

SPLITS = ("train", "valid", "test")
REPORT = "report.json"
VERSION = 2
"""To be raised when the same recipe comes to make another corpus."""

SplitSource = Callable[[Counts], PairBlocks]
"""Yields a split's pairs, and may count what it leaves out of it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a corpus is made; together with the content of its inputs this determines it."""

    name: str
    pair: LanguagePair
    inputs: tuple[Path, ...]
    split: str
    """In words, how the pairs were dealt out."""
    sources: Mapping[str, SplitSource]
    """Of each split; where some alone are to be scored, of those."""
    rules: CleaningRules = field(default_factory=CleaningRules)
    """For ``train``; the other splits stay as they are."""


def from_sides(*texts: Sequence[Side]) -> SplitSource:
    """A split that consists of texts one after the other, each given by its source and its target side."""
    return lambda _: chain.from_iterable(aligned(source, target) for source, target in texts)


def make(recipe: Recipe) -> ParallelCorpus:
    """The corpus of a recipe, out of the cache if an earlier call has made it.

    Raises:
        DataError: an input is missing, damaged or not aligned, a split has no pairs, or the cache is damaged.
    """
    some = {} if len(recipe.sources) == len(SPLITS) else {"splits": list(recipe.sources)}
    settings = {"split": recipe.split, **asdict(recipe.rules), **some}
    contents = remembered_sha256(*recipe.inputs)
    key = hashlib.sha256(json.dumps([VERSION, settings, contents]).encode()).hexdigest()
    folder = cache_dir() / "corpora" / "-".join((recipe.name, *recipe.pair, key[:16]))
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            report = {split: _write_split(recipe, split, unfinished) for split in recipe.sources}
            text = json.dumps({"settings": settings, **report}, indent=2, ensure_ascii=False)
            (unfinished / REPORT).write_text(text + "\n", encoding="utf-8")
    return _open(recipe, folder)


def text_of(folder: Path, split: str, pair: LanguagePair) -> ParallelText:
    """The two files of a split."""
    return ParallelText(folder / f"{split}.{pair.source}", folder / f"{split}.{pair.target}")


def _open(recipe: Recipe, folder: Path) -> ParallelCorpus:
    train, valid, test = (text_of(folder, split, recipe.pair) for split in SPLITS)
    try:
        report: Report = json.loads((folder / REPORT).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the cached corpus is damaged ({error}); delete the folder and run again") from None
    return ParallelCorpus(recipe.name, *recipe.pair, train=train, valid=valid, test=test, report=report)


def _write_split(recipe: Recipe, split: str, folder: Path) -> dict[str, int]:
    text = text_of(folder, split, recipe.pair)
    dropped = Counts()
    blocks = recipe.sources[split](dropped)
    if split == "train":
        blocks = clean(blocks, recipe.rules, dropped)
    if split == "train" and recipe.rules.drop_duplicates:
        kept, dropped["duplicate"] = write_different_pairs(blocks, text)
    else:
        kept = write_pairs(blocks, text)
    if kept == 0:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in dropped.items() if count)
        raise DataError(
            f"{recipe.name} {recipe.pair}: there are no pairs for {split} (dropped: {reasons or 'none'})\n"
            f"the pairs were split {recipe.split}"
        )
    return {"read": kept + dropped.total(), "kept": kept, **dropped}
