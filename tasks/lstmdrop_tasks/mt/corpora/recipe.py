"""From published files to a parallel corpus: cleaned, written once into the cache, and reported."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain, compress, count, islice, takewhile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop.parsing import read_json_document, to_json
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair
from lstmdrop_tasks.mt.corpora.parallel import (
    BLOCK_LINES,
    Mask,
    PairBlock,
    PairBlocks,
    ParallelCorpus,
    ParallelText,
    Report,
    Side,
    aligned,
    first_occurrences,
    pair_hashes,
)


def require_files(dataset: str, folder: Path, paths: Iterable[Path]) -> None:
    """Refuse a folder that lacks any of the files.

    Raises:
        DataError: some are missing; the message names them and the command that gets them.
    """
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}\nget it with: lstmdrop data prepare {dataset}")


Counts = Counter[str]
"""How many pairs were dropped for which reason."""


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What makes a pair unfit; a word is what ASCII white space separates."""

    max_words: int = 250
    """A side has no more words than this."""
    max_ratio: float | None = None
    """The longer side has no more than so many times the words of the other, if it has more than `RATIO_FROM`."""
    drop_duplicates: bool = False
    """Of a pair that comes again and again, only the first stays."""


RATIO_FROM = 10
"""Words up to which a ratio says nothing: "No." may well be four words elsewhere."""


def clean(blocks: Iterable[PairBlock], rules: CleaningRules, counts: Counts) -> PairBlocks:
    """Leave out the unfit pairs, and count each once in ``counts``.

    Duplicates stay: see `lstmdrop_tasks.mt.corpora.parallel`. Takes constant memory.
    """
    for block in blocks:
        if not block.sources:  # no line of it could be read
            continue
        keep = _fit(block, rules, counts)
        if keep.all():
            yield block
        elif keep.any():
            yield select(block, keep)


def select(block: PairBlock, keep: Mask) -> PairBlock:
    """The pairs of a block for which ``keep`` holds."""
    chosen = keep.tolist()
    sources, targets, *more = (list(compress(lines, chosen)) for lines in (block.sources, block.targets, *block.more))
    return PairBlock(sources, targets, tuple(more))


def _fit(block: PairBlock, rules: CleaningRules, counts: Counts) -> Mask:
    num_words = np.array([_num_words(block.sources), _num_words(block.targets)])
    shorter, longer = num_words.min(axis=0), num_words.max(axis=0)
    unfit = {"empty": _blank(block.sources) | _blank(block.targets), "too_long": longer > rules.max_words}
    if rules.max_ratio is not None:
        unfit["ratio"] = (longer > RATIO_FROM) & (longer > rules.max_ratio * shorter)
    keep = np.ones(len(shorter), dtype=np.bool_)
    for reason, pairs in unfit.items():
        counts[reason] += int(np.count_nonzero(keep & pairs))
        keep &= ~pairs
    return keep


def _blank(lines: list[str]) -> Mask:
    return np.array([not line or line.isspace() for line in lines])


def _num_words(lines: list[str]) -> npt.NDArray[np.int64]:
    """Words of each line, all lines at once: a word begins where a space is followed by something else."""
    text = np.frombuffer(("\n" + "\n".join(lines) + "\n").encode(), dtype=np.uint8)
    is_space = text <= ord(" ")
    begins = np.flatnonzero(is_space[:-1] & ~is_space[1:])
    return np.diff(np.searchsorted(begins, np.flatnonzero(text == ord("\n"))))


def write_pairs(blocks: Iterable[PairBlock], text: ParallelText) -> int:
    """Write the files of a text, beside its two one for each further translation; returns the number of pairs."""
    num_pairs = 0
    with ExitStack() as files:
        handles = [files.enter_context(path.open("wb")) for path in (text.source, text.target)]
        for block in blocks:
            sides = [block.sources, block.targets, *block.more]
            while len(handles) < len(sides):  # none of the pairs before has so many
                handles.append(files.enter_context(_further(text.target, len(handles)).open("wb")))
                handles[-1].write(b"\n" * num_pairs)
            sides += [[""] * len(block.sources)] * (len(handles) - len(sides))
            for handle, lines in zip(handles, sides, strict=True):
                handle.write("\n".join([*lines, ""]).encode())
            num_pairs += len(block.sources)
    return num_pairs


def _further(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}.{number}")


def write_different_pairs(blocks: Iterable[PairBlock], text: ParallelText) -> tuple[int, int]:
    """As `write_pairs`, of equal pairs only the first; returns how many were written and how many left out.

    Takes constant memory, and on disk, while it works, once more the size of the text with its duplicates.
    """
    hashes = text.source.with_name("hashes")
    source, target = (path.with_name(f"{path.name}.repeating") for path in (text.source, text.target))
    repeating = ParallelText(source, target)
    with hashes.open("wb") as handle:
        num_pairs = write_pairs(_noting_hashes(blocks, handle), repeating)
    first = first_occurrences(hashes)
    hashes.unlink()
    _move_lines(repeating.source, text.source, first)
    _move_lines(repeating.target, text.target, first)
    num_different = int(first.sum())
    return num_different, num_pairs - num_different


def _noting_hashes(blocks: Iterable[PairBlock], handle: BinaryIO) -> PairBlocks:
    for block in blocks:
        handle.write(pair_hashes(block))
        yield block


def _move_lines(origin: Path, target: Path, keep: Mask) -> None:
    with origin.open("rb") as lines, target.open("wb") as handle:
        for start in range(0, len(keep), BLOCK_LINES):
            chosen = keep[start : start + BLOCK_LINES].tolist()
            handle.writelines(compress(islice(lines, BLOCK_LINES), chosen))
    origin.unlink()


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
    """A split that consists of texts one after the other, each given by its source and its target side or sides."""
    return lambda _: chain.from_iterable(aligned(*sides) for sides in texts)


def each_alone(blocks: Iterable[PairBlock]) -> PairBlocks:
    """A pair of each translation: what is trained on."""
    for block in blocks:
        yield PairBlock(block.sources, block.targets)
        for translations in block.more:
            there = np.array([bool(line) for line in translations])
            yield select(PairBlock(block.sources, translations), there)


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
            text = to_json({"settings": settings, **report}, indent=2, ensure_ascii=False)
            (unfinished / REPORT).write_text(text + "\n", encoding="utf-8")
    return _open(recipe, folder)


def text_of(folder: Path, split: str, pair: LanguagePair) -> ParallelText:
    """The files of a split."""
    source, target = (folder / f"{split}.{language}" for language in pair)
    return ParallelText(source, target, tuple(takewhile(Path.is_file, (_further(target, n) for n in count(2)))))


def _open(recipe: Recipe, folder: Path) -> ParallelCorpus:
    train, valid, test = (text_of(folder, split, recipe.pair) for split in SPLITS)
    try:
        report: Report = read_json_document(folder / REPORT)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the cached corpus is damaged ({error}); delete the folder and run again") from None
    return ParallelCorpus(recipe.name, *recipe.pair, train=train, valid=valid, test=test, report=report)


def _write_split(recipe: Recipe, split: str, folder: Path) -> dict[str, int]:
    text = text_of(folder, split, recipe.pair)
    dropped = Counts()
    blocks = recipe.sources[split](dropped)
    if split == "train":
        blocks = clean(each_alone(blocks), recipe.rules, dropped)
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
