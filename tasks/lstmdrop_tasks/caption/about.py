"""What is in images and captions of one's own, and what looks wrong with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.spelling import is_file
from lstmdrop.data.text import content_sha256, read_lines
from lstmdrop.errors import DataError
from lstmdrop.metrics.ptb_tokenizer import cut_for, python_words
from lstmdrop.parsing import MOST_BYTES_OF_LISTS, parse_json, read_json_document
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, CaptionedImage, oddities
from lstmdrop_tasks.caption.corpora.coco import is_coco
from lstmdrop_tasks.caption.corpora.find import find_corpus
from lstmdrop_tasks.caption.corpora.flickr import is_flickr
from lstmdrop_tasks.caption.corpora.own import FILE
from lstmdrop_tasks.caption.images.extraction import THREADS, is_ready, read_ready
from lstmdrop_tasks.caption.images.reading import open_image, read_image

DECODED = 5_000
"""Up to so many images are decoded to see whether they can be; of more, only how each begins is read."""

AS_COCO, IN_A_LINE = {"images", "annotations"}, {"image", "captions"}
"""Keys by which captions are known."""

Images = Mapping[Split, Sequence[CaptionedImage]]


def own_captions(path: Path) -> Iterator[str]:
    """A line about each split, then about the images and what looks wrong; nothing about what is no captions.

    Raises:
        DataError: it looks like images with captions, and cannot be read as them.
    """
    try:
        corpus = find_corpus(str(path.absolute()))
    except DataError:
        if _looks_like_captions(path):
            raise
        return
    yield f"{path}: captions; split {corpus.split}{f'; left out: {corpus.dropped}' if corpus.dropped else ''}"
    cut = cut_for(caption for images in corpus.splits.values() for image in images for caption in image.captions)
    words = {split: _words(images, cut_into=cut) for split, images in corpus.splits.items()}
    for split in SPLITS:
        yield _split_line(split, corpus.splits[split], words[split], words["train"])
    if cut == "char":
        yield (
            f"{path}: the captions put no blanks between words: train with --set data.tokens=character; scores count "
            "characters"
        )
    yield from _about_files(corpus)
    yield from _copies(corpus.splits)
    yield from oddities(corpus)


def _looks_like_captions(path: Path) -> bool:
    if path.is_dir():
        return (path / FILE).is_file() or is_coco(path) or is_flickr(path)
    try:
        is_whole = path.suffix.lower() == ".json"
        found = read_json_document(path, MOST_BYTES_OF_LISTS) if is_whole else parse_json(next(read_lines(path)))
        return isinstance(found, dict) and (AS_COCO if is_whole else IN_A_LINE) <= found.keys()
    except (DataError, OSError, ValueError):
        return False


def _words(images: Iterable[CaptionedImage], cut_into: str) -> list[list[str]]:
    return [
        python_words(caption, "char" if cut_into == "char" else "ptb").split()
        for image in images
        for caption in image.captions
    ]


def _split_line(
    split: Split, images: Sequence[CaptionedImage], captions: Sequence[Sequence[str]], train: Iterable[Sequence[str]]
) -> str:
    """Sizes and lengths of a split and, of one that is no training, the words that training lacks."""
    known = {word for caption in train for word in caption}
    lengths, each = [len(caption) for caption in captions], [len(image.captions) for image in images]
    per_image = f"{min(each)}" if min(each) == max(each) else f"{min(each)} to {max(each)}"
    words = [word for caption in captions for word in caption]
    told = f"{len(set(words)):,} different"
    if split != "train":
        told += f", {sum(word not in known for word in words) / max(1, len(words)):.2%} unknown to train"
    return (
        f"{split}: {len(images):,} images, {len(captions):,} captions, {per_image} an image; "
        f"{min(lengths)} to {max(lengths)} words, median {median(lengths):g}; {told}"
    )


class Looked(NamedTuple):
    """What is seen of a file."""

    size: tuple[int, int] | None
    """Width and height; None of features."""
    kind: str
    problem: str = ""


def _about_files(corpus: CaptionCorpus) -> Iterator[str]:
    files = [image.source for images in corpus.splits.values() for image in images]
    is_decoded = len(files) <= DECODED
    with ThreadPoolExecutor(THREADS) as readers:
        looked = list(readers.map(_decoded if is_decoded else _begun, files))
    if sizes := [one.size for one in looked if one.size is not None and not one.problem]:
        widths, heights = zip(*sizes, strict=True)
        smallest, largest = min(sizes, key=_pixels), max(sizes, key=_pixels)
        kinds = Counter(one.kind for one in looked if not one.problem)
        yield (
            f"images: {', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common())}; "
            f"median {median(widths):g} x {median(heights):g} pixels, "
            f"smallest {smallest[0]} x {smallest[1]}, largest {largest[0]} x {largest[1]}"
        )
    if problems := [one.problem for one in looked if one.problem]:
        how = "" if is_decoded else "; only how each file begins was looked at"
        yield f"unreadable: {len(problems):,} of {len(files):,} images, such as {problems[0].splitlines()[0]}{how}"


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _begun(path: Path) -> Looked:
    if is_ready(path):
        return Looked(None, "features", "" if is_file(path) else f"{path}: no such file")
    try:
        with open_image(path) as image:
            return Looked(image.size, image.format or "")
    except Exception:
        try:  # says in its own words what is wrong
            read_image(path, 1)
        except DataError as error:
            return Looked(None, "", str(error))
        raise


def _decoded(path: Path) -> Looked:
    begun = _begun(path)
    if begun.problem:
        return begun
    try:
        read_ready(path) if is_ready(path) else read_image(path, 32)
    except DataError as error:
        return begun._replace(problem=str(error))
    return begun


def _copies(splits: Images) -> Iterator[str]:
    """Pictures and captions that are there more than once, and what of them training shares with valid and test."""
    pictures = _same_pictures([image.source for images in splits.values() for image in images])
    where = {image.source: split for split, images in splits.items() for image in images}
    groups = [own for own in pictures if len(own) > 1]
    if groups:
        count = sum(len(own) - 1 for own in groups)
        yield f"copies: {count:,} images are another's picture, such as {groups[0][1]} and {groups[0][0]}"
    told = {
        split: {caption: image.id for image in images for caption in image.captions} for split, images in splits.items()
    }
    for split in ("valid", "test"):
        if both := [own for own in groups if {"train", split} <= {where[path] for path in own}]:
            count = sum(where[path] == split for own in both for path in own)
            one = next(path for path in both[0] if where[path] == split)
            yield f"copies: {count:,} images of {split} are in train too, such as {one}"
        if shared := [caption for caption in told[split] if caption in told["train"]]:
            yield f"copies: {len(shared):,} captions of {split} are in train too, such as {shared[0]!r}"
    yield from _same_captions(splits)


def _same_captions(splits: Images) -> Iterator[str]:
    owners: dict[str, set[str]] = defaultdict(set)
    num_twice = 0
    for images in splits.values():
        for image in images:
            num_twice += len(image.captions) - len(set(image.captions))
            for caption in image.captions:
                owners[caption].add(image.id)
    if several := [(len(own), caption) for caption, own in owners.items() if len(own) > 1]:
        count, caption = max(several)
        yield f"copies: {len(several):,} captions are of several images, such as {caption!r} of {count:,}"
    if num_twice:
        yield f"copies: {num_twice:,} captions stand twice with their image"


def _same_pictures(files: Sequence[Path]) -> list[list[Path]]:
    """The files by their content; only those that are of one size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(files):
        if is_file(path):
            by_size[path.stat().st_size].append(path)
    found: dict[str, list[Path]] = defaultdict(list)
    for own in by_size.values():
        for path in own if len(own) > 1 else ():
            found[content_sha256(path)].append(path)
    return list(found.values())
