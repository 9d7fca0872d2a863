"""Images and captions of one's own: a JSONL file, an image a line."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import draw, whole_split
from lstmdrop.data.rows import SPLIT_NAMES
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop.parsing import parse_json
from lstmdrop_tasks.caption.corpora.captioned import (
    EVERYTHING,
    FEWEST,
    CaptionCollector,
    CaptionCorpus,
    Selection,
    make_corpus,
    text_of,
)

FILE = "captions.jsonl"
"""Of a folder."""

KEYS = ("image", "captions", "split")
HELD_OUT = 0.1
"""The share of the images that is for test, where the file does not say; as many are for validation."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the file."""

    number: int
    image: str
    captions: tuple[str, ...]
    split: Split | None


def own(path: Path, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """The corpus of a file of lines such as ``{"image": "a.jpg", "captions": ["a dog"], "split": "train"}``.

    Paths of images start at the file's folder. Without any ``split`` they are `dealt`. Several lines about one image
    are taken together.

    Raises:
        DataError: a line is damaged, says a split where others do not, or a split has too few images.
    """
    lines = [_line(path, number, text) for number, text in enumerate(read_lines(path), 1) if text.strip()]
    is_split = _is_split(path, lines)
    names: dict[Split, list[str]] = defaultdict(list)
    collector = CaptionCollector()
    for line in lines:
        if line.split is not None:
            names[line.split].append(line.image)
        for caption in line.captions:
            collector.add(line.image, caption)
    how = "as given"
    if not is_split:
        names, how = dealt(path, collector.by_image, selection)
    sources = {line.image: path.parent / line.image for line in lines}
    return make_corpus(str(path), how, names, collector.collected(), sources, scored=selection.scored)


def dealt(
    path: Path, captions: Mapping[str, Sequence[str]], selection: Selection = EVERYTHING
) -> tuple[dict[Split, list[str]], str]:
    """The images of each split where nobody has said it, and how that came about.

    The name of an image and the seed decide, so that it stays where it is when others come; but of few images those
    whose names draw the lowest are held out. Where splits are only to be ``scored``, all images are that one.

    Raises:
        UsageError: two splits are to be scored.
    """
    if selection.scored:
        return {whole_split(path, selection.scored): list(captions)}, "as given, in one piece"
    drawn = {image: draw(image, selection.seed) for image, own in captions.items() if own}
    order = sorted(drawn, key=drawn.__getitem__)
    num_test = max(FEWEST, sum(number < HELD_OUT for number in drawn.values()))
    num_valid = max(FEWEST, sum(number < 2 * HELD_OUT for number in drawn.values()) - num_test)
    place: dict[str, Split] = dict.fromkeys(order[:num_test], "test")
    place |= dict.fromkeys(order[num_test : num_test + num_valid], "valid")
    names: dict[Split, list[str]] = defaultdict(list)
    for image in captions:
        names[place.get(image, "train")].append(image)
    how = f"by the name of the image, {HELD_OUT:.0%} each for valid and test; data.split_seed = {selection.seed}"
    return names, how


def _line(path: Path, number: int, text: str) -> Line:
    try:
        entry: Any = parse_json(text)
    except ValueError as error:
        raise DataError(f"{path}:{number}: not JSON ({error})") from None
    if not isinstance(entry, dict):
        raise DataError(f'{path}:{number}: not an object such as {{"image": "a.jpg", "captions": ["a dog"]}}')
    for key in entry:
        if key not in KEYS:
            raise DataError(f"{path}:{number}: unknown key {key!r}{did_you_mean(key, KEYS)}")
    for key in KEYS[:2]:
        if key not in entry:
            raise DataError(f"{path}:{number}: the line has no {key!r}")
    image, captions, split = entry["image"], entry["captions"], entry.get("split")
    if not isinstance(image, str) or not image.strip():
        raise DataError(f"{path}:{number}: 'image' must be the path of a file, not {image!r}")
    if not isinstance(captions, list) or not captions:
        raise DataError(f"{path}:{number}: 'captions' must be a list of one or more texts")
    texts = tuple(text_of(caption, f"{path}:{number}: {image}") for caption in captions)
    if split is not None and str(split).lower() not in SPLIT_NAMES:
        raise DataError(f"{path}:{number}: the split {split!r} is none of {', '.join(SPLITS)}")
    return Line(number, os.path.normpath(image), texts, None if split is None else SPLIT_NAMES[split.lower()])


def _is_split(path: Path, lines: list[Line]) -> bool:
    without = [line.number for line in lines if line.split is None]
    if without and len(without) < len(lines):
        raise DataError(f"{path}:{without[0]}: no 'split', and other lines have one; give it to all or to none")
    return not without
