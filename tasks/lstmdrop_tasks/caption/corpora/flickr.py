"""Flickr8k and Flickr30k: a folder of images, a file of captions, and which image is in which split."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import contents
from lstmdrop.data.spelling import name_key
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.captioned import (
    EVERYTHING,
    CaptionCollector,
    CaptionCorpus,
    Captions,
    Selection,
    make_corpus,
)
from lstmdrop_tasks.caption.corpora.coco import captions_of, names_by_split, read_karpathy
from lstmdrop_tasks.caption.corpora.own import dealt

TOKEN_LINE = re.compile(r"(?P<image>[^\t]+)#\d+\t(?P<caption>.*)")
BAR_HEADER = "image_name|"
BAR_LINE = re.compile(r"(?P<image>[^|]*[^|\s])\s*\|\s*\d+\s*(?:\||\s)(?P<caption>.*)")
"""Of the published table one line lacks the second bar."""

IMAGE_COLUMNS, CAPTION_COLUMNS = ("image", "image_name"), ("caption", "comment")


def read_captions(path: Path) -> Captions:
    """The captions of a table ``image,caption``, of one with ``|`` between columns, or of ``name.jpg#0<TAB>caption``.

    Raises:
        DataError: the file is missing, not UTF-8, or a line is in none of these forms.
    """
    collector = CaptionCollector()
    for image, caption in _captions_of(path):
        collector.add(image, caption)
    return collector.collected()


def _captions_of(path: Path) -> Iterator[tuple[str, str]]:
    first = next(read_lines(path))
    if first.replace(" ", "").startswith(BAR_HEADER):
        return _matches(path, BAR_LINE, "image_name| comment_number| comment", skip=1)
    if TOKEN_LINE.fullmatch(first):
        return _matches(path, TOKEN_LINE, "name.jpg#0, a tab and a caption")
    return _table(path)


def _matches(path: Path, form: re.Pattern[str], what: str, skip: int = 0) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        if number <= skip or not line.strip():
            continue
        match = form.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{number}: not {what}")
        yield match["image"], match["caption"]


def _table(path: Path) -> Iterator[tuple[str, str]]:
    # Line ends belong to the rows, for a caption in quotation marks may go over several lines.
    rows = csv.reader((line + "\n" for line in read_lines(path)), strict=True)
    try:
        header = [column.strip() for column in next(rows)]
        image, caption = (_column(path, header, names) for names in (IMAGE_COLUMNS, CAPTION_COLUMNS))
        for row in rows:
            if not any(map(str.strip, row)):
                continue
            if len(row) != len(header):
                raise DataError(f"{path}:{rows.line_num}: {len(row)} columns, and the header has {len(header)}")
            yield row[image].strip(), row[caption]
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: {error}") from None


def _column(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(f"{path}:1: no column {names[0]!r} in the header, but {', '.join(header)}")


IMAGE_FOLDERS = (
    "Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images", "flickr30k_images",
)  # fmt: skip
CAPTION_FILES = ("captions.txt", "captions.csv", "results.csv", "Flickr8k.token.txt", "results_20130124.token")
LISTS: tuple[dict[Split, str], ...] = (
    {"train": "Flickr_8k.trainImages.txt", "valid": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"},
    {"train": "train.txt", "valid": "val.txt", "test": "test.txt"},
)
KARPATHY = ("dataset_flickr8k.json", "dataset_flickr30k.json")


class Images(NamedTuple):
    """Where the images lie, and which are there."""

    folder: Path
    places: Mapping[str, str]
    """Below the folder, by themselves, by their `name_key` and, where no other has it, by that of the name alone."""

    def place(self, name: str) -> str | None:
        """Of the image that lists and captions call so, perhaps with folders before it; None where there is none."""
        if name in self.places:
            return self.places[name]
        parts = name_key(name).split("/")
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self.places[tail] for tail in tails if tail in self.places), None)


class Splits(NamedTuple):
    """The names of the images of each split, and where that was found."""

    names: Mapping[Split, Iterable[str]]
    how: str
    captions: Captions | None = None
    """Some files of splits bring the captions too."""


def table(path: Path, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """The corpus of a file of captions alone, whose images lie in its folder or below; nobody has split it.

    Raises:
        DataError: a line is damaged, or a split has too few images.
    """
    images, captions = _images_in(path.parent), read_captions(path)
    here = {image: own for image, own in captions.by_image.items() if images.place(image) is not None}
    names, how = dealt(path, here, selection)
    elsewhere = {
        "captions of images that are not there": sum(map(len, captions.by_image.values()))
        - sum(map(len, here.values()))
    }
    sources = {image: images.folder / (images.place(image) or image) for image in here}
    return make_corpus(str(path), how, names, Captions(here, captions.num_blank), sources, elsewhere, selection.scored)


def is_flickr(folder: Path) -> bool:
    """Whether a folder looks like one of these."""
    return _image_folder(folder) is not None and (_caption_file(folder) is not None or _karpathy(folder) is not None)


def flickr(folder: Path, name: str, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """The corpus in a folder, in any of the layouts in which it is passed around, split as it was published.

    Raises:
        DataError: images, captions or splits are missing, or a file is damaged.
    """
    return _flickr(folder, name, selection, is_published=True)


def like_flickr(folder: Path, name: str, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """As `flickr`, of one's own: where there are no lists of splits, its images are `dealt`.

    Raises:
        DataError: images or captions are missing, a list of several is, or a file is damaged.
    """
    return _flickr(folder, name, selection, is_published=False)


def _flickr(folder: Path, name: str, selection: Selection, *, is_published: bool) -> CaptionCorpus:
    images = _images(folder)
    has_lists = any((folder / file).is_file() for lists in LISTS for file in lists.values()) or _karpathy(folder)
    if has_lists or is_published:
        splits = _splits(folder, images, selection.scored)
    else:
        captions = read_captions(_caption_file(folder) or folder / CAPTION_FILES[0])
        here = {image: own for image, own in captions.by_image.items() if images.place(image) is not None}
        splits = Splits(*dealt(folder, here, selection), captions)
    in_a_split = {image for some in splits.names.values() for image in some}
    captions = _named_alike(_captions(folder, splits), in_a_split, images)
    others = [image for image in captions.by_image if image not in in_a_split]
    unknown = [image for image in others if images.place(image) is None]
    elsewhere = {
        "images in no split": len(others) - len(unknown),
        "captions of images that are not there": sum(len(captions.by_image[image]) for image in unknown),
    }
    sources = {image: images.folder / (images.place(image) or image) for image in in_a_split}
    return make_corpus(name, splits.how, splits.names, captions, sources, elsewhere, selection.scored)


def _named_alike(captions: Captions, in_a_split: Iterable[str], images: Images) -> Captions:
    """The captions by the names that the splits give to their images."""
    names: dict[str, str] = {}
    for image in in_a_split:
        other = names.setdefault(images.place(image) or image, image)
        if other != image:
            raise DataError(
                f"{images.folder}: {other!r} and {image!r} of the splits are one file, {images.place(image)}"
            )
    by_image: dict[str, list[str]] = {}
    for image, own in captions.by_image.items():
        by_image.setdefault(names.get(images.place(image) or image, image), []).extend(own)
    return Captions(by_image, captions.num_blank)


def _images(folder: Path) -> Images:
    found = _image_folder(folder)
    if found is None:
        raise DataError(f"{folder}: no folder of images is here; it may be called {', '.join(IMAGE_FOLDERS)}")
    return _images_in(found)


def _images_in(found: Path) -> Images:
    places = sorted(path.relative_to(found).as_posix() for path in found.rglob("*"))
    names = Counter(name_key(place.rpartition("/")[2]) for place in places)
    alone = {name: place for place in places if names[name := name_key(place.rpartition("/")[2])] == 1}
    return Images(
        found, {**alone, **{name_key(place): place for place in places}, **{place: place for place in places}}
    )


def _image_folder(folder: Path) -> Path | None:
    for name in IMAGE_FOLDERS:
        # Some archives hold the folder in a folder of the same name.
        for candidate in (folder / name / name, folder / name):
            if candidate.is_dir():
                return candidate
    return None


def _splits(folder: Path, images: Images, scored: Sequence[Split]) -> Splits:
    for lists in LISTS:
        if all((folder / lists[split]).is_file() for split in scored or SPLITS):
            names: dict[Split, list[str]] = {
                split: list(_listed(folder / file, images)) for split, file in lists.items()
                if (folder / file).is_file()
            }  # fmt: skip
            return Splits(names, f"as published, {lists['train']} and its like")
    path = _karpathy(folder)
    if path is not None:
        entries = read_karpathy(path)
        return Splits(names_by_split(entries), f"Karpathy's, {path.name}", captions_of(entries))
    wanted = ", or ".join(", ".join(lists.values()) for lists in LISTS)
    raise DataError(
        f"{folder}: which image is in which split is not said\n"
        f"put here {wanted}, or {' or '.join(KARPATHY)}; {contents(folder)}"
    )


def _listed(path: Path, images: Images) -> Iterable[str]:
    for line in read_lines(path):
        name = line.strip()
        if name:
            # Flickr30k's lists leave the ending out.
            yield name if Path(name).suffix or images.place(name) is not None else f"{name}.jpg"


def _captions(folder: Path, splits: Splits) -> Captions:
    path = _caption_file(folder)
    if path is not None:
        return read_captions(path)
    if splits.captions is not None and splits.captions.by_image:
        return splits.captions
    raise DataError(f"{folder}: no captions are here; they may be in {', '.join(CAPTION_FILES)}")


def _caption_file(folder: Path) -> Path | None:
    return _first(folder / place / name for place in ("", *IMAGE_FOLDERS) for name in CAPTION_FILES)


def _karpathy(folder: Path) -> Path | None:
    return _first(folder / name for name in KARPATHY)


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
