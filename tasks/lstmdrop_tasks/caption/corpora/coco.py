"""COCO's captions: of 2014 in Karpathy's splits, of 2017, and of files that are written like its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.registry import draw
from lstmdrop.data.rows import SPLIT_NAMES
from lstmdrop.data.spelling import is_file, on_disk
from lstmdrop.errors import DataError
from lstmdrop.parsing import MOST_BYTES_OF_LISTS, read_json_document
from lstmdrop_tasks.caption.corpora.captioned import (
    EVERYTHING,
    CaptionCollector,
    CaptionCorpus,
    Captions,
    Selection,
    make_corpus,
    text_of,
)
from lstmdrop_tasks.caption.corpora.own import dealt

SPLIT_OF: dict[str, Split] = {"train": "train", "restval": "train", "val": "valid", "test": "test"}
"""``restval`` is what COCO's validation images are used for that are neither val nor test."""


@dataclass(frozen=True, slots=True)
class KarpathyImage:
    """An image of such a file."""

    name: str
    folder: str
    """Of COCO: ``train2014`` or ``val2014``; else empty."""
    split: Split
    captions: tuple[str, ...]


def read_karpathy(path: Path) -> tuple[KarpathyImage, ...]:
    """The images of a file of splits.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        entries = read_json_document(path, MOST_BYTES_OF_LISTS, object_hook=_sentence)["images"]
        return tuple(_images(path, entries))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a file of splits such as Karpathy's ({error!r})") from None


def names_by_split(images: tuple[KarpathyImage, ...]) -> dict[Split, list[str]]:
    """The images of each split."""
    names: dict[Split, list[str]] = {"train": [], "valid": [], "test": []}
    for image in images:
        names[image.split].append(image.name)
    return names


def captions_of(images: tuple[KarpathyImage, ...]) -> Captions:
    """The captions, as far as the file has them."""
    collector = CaptionCollector()
    for image in images:
        for caption in image.captions:
            collector.add(image.name, caption)
    return collector.collected()


def _sentence(entry: dict[str, Any]) -> Any:
    # A caption as it was written is all that is kept of it: the tokens would take most of a gigabyte.
    if "raw" in entry:
        return entry["raw"]
    tokens = entry.get("tokens")
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return " ".join(tokens)
    return entry


def _images(path: Path, entries: list[dict[str, Any]]) -> Iterator[KarpathyImage]:
    for entry in entries:
        name, split, folder = entry["filename"], entry["split"], entry.get("filepath") or ""
        if not isinstance(name, str) or not name or not isinstance(folder, str):
            raise DataError(f"{path}: an image is called {name!r} in {folder!r}, and both must be texts")
        if not isinstance(split, str) or split not in SPLIT_OF:
            raise DataError(f"{path}: {name} is in the split {split!r}; known: {', '.join(SPLIT_OF)}")
        sentences = entry.get("sentences", [])
        if not isinstance(sentences, list):
            raise DataError(f"{path}: {name}: 'sentences' must be a list of captions, not {sentences!r}")
        captions = tuple(text_of(caption, f"{path}: {name}") for caption in sentences)
        yield KarpathyImage(name, folder, SPLIT_OF[split], captions)


ANNOTATIONS = {
    "train2014": "annotations/captions_train2014.json", "val2014": "annotations/captions_val2014.json"
}  # fmt: skip
"""By the folder of the images."""
SPLITS_FILE = "dataset_coco.json"
SPLITS_URL = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


OF_2017 = {"train2017": "annotations/captions_train2017.json", "val2017": "annotations/captions_val2017.json"}
HELD_OUT = 0.05
"""The share of the training images of 2017 that is for validation: what was published of the test has no captions."""


def is_coco(folder: Path) -> bool:
    """Whether a folder looks like COCO's."""
    return any((folder / file).is_file() for file in (*ANNOTATIONS.values(), *OF_2017.values()))


def coco(folder: Path, name: str, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """The published captions in Karpathy's splits, whose ``restval`` trains; of 2017 without them in its own.

    Raises:
        DataError: a file or a folder is missing, or damaged.
    """
    if not any((folder / file).is_file() for file in ANNOTATIONS.values()):
        return _of_2017(folder, name, selection)
    scored, splits_file = selection.scored, _splits_file(folder)
    if splits_file is None:
        raise DataError(
            f"{folder / SPLITS_FILE}: no such file, and without it nothing says which image is in which split\n"
            f"put it there; it is in {SPLITS_URL}"
        )
    images = tuple(image for image in read_karpathy(splits_file) if image.split in (scored or SPLITS))
    for image in images:
        if image.folder not in ANNOTATIONS:
            raise DataError(f"{splits_file}: {image.name} lies in {image.folder!r}, not in train2014 or val2014")
    parts = [part for part in ANNOTATIONS if not scored or part in {image.folder for image in images}]
    places = {part: _image_folder(folder, part) for part in parts}
    captions = _published(folder, parts)
    sources = {image.name: places[image.folder] / image.name for image in images}
    others = sum(1 for image in captions.by_image if image not in sources)
    how = f"Karpathy's, {SPLITS_FILE}"
    return make_corpus(name, how, names_by_split(images), captions, sources, {"images in no split": others}, scored)


def _of_2017(folder: Path, name: str, selection: Selection) -> CaptionCorpus:
    """The same images as of 2014, in other folders and called by their number alone."""
    given = _splits_file(folder)
    wanted: dict[str, tuple[Split, ...]] = {"train2017": ("train", "valid"), "val2017": ("test",)}
    names: dict[Split, list[str]] = {"train": [], "valid": [], "test": []}
    captions, sources = CaptionCollector(), {}
    for part, splits in wanted.items():
        if given is None and selection.scored and not set(selection.scored) & set(splits):
            continue
        own = CaptionCollector()
        _collect(folder / OF_2017[part], own)
        place = _image_folder(folder, part)
        captions.by_image |= own.by_image
        captions.num_blank += own.num_blank
        for image in own.by_image:
            sources[image] = place / image
            is_held_out = draw(image, selection.seed) < HELD_OUT
            names["test" if part == "val2017" else "valid" if is_held_out else "train"].append(image)
    how = (
        f"val2017 is the test, {HELD_OUT:.0%} of train2017 by the name of the image the validation; "
        f"data.split_seed = {selection.seed}"
    )
    if given is not None:
        how, listed = f"Karpathy's, {SPLITS_FILE}", names_by_split(read_karpathy(given))
        names = {split: [image.rpartition("_")[2] for image in own] for split, own in listed.items()}
    elsewhere = {"images in no split": len(sources.keys() - {image for own in names.values() for image in own})}
    return make_corpus(name, how, names, captions.collected(), sources, elsewhere, selection.scored)


def coco_file(path: Path, selection: Selection = EVERYTHING) -> CaptionCorpus:
    """The corpus of a file with ``images`` and ``annotations`` as COCO's have them.

    The images lie beside it, or in the folder beside it or above it in which the first one is found. Images may have a
    ``split``; else they are `dealt`.

    Raises:
        DataError: the file is damaged, or there are no such images.
    """
    collector = CaptionCollector()
    given = _collect(path, collector)
    names, how = _given_splits(path, collector.by_image, given) if given else dealt(path, collector.by_image, selection)
    folder = _folder_of(path, next(iter(collector.by_image), ""))
    sources = {image: folder / image for image in collector.by_image}
    return make_corpus(str(path), how, names, collector.collected(), sources, scored=selection.scored)


def _given_splits(path: Path, images: Iterable[str], given: Mapping[str, Split]) -> tuple[dict[Split, list[str]], str]:
    names: dict[Split, list[str]] = defaultdict(list)
    for image in images:
        if image not in given:
            raise DataError(f"{path}: {image} has no 'split', and other images have one; give it to all or to none")
        names[given[image]].append(image)
    return names, "as given"


def _folder_of(path: Path, image: str) -> Path:
    above = path.absolute().parent
    places = [place for place in (above, above.parent) if place.is_dir()]
    places += [folder for place in places for folder in sorted(place.iterdir()) if folder.is_dir()]
    for place in places:
        if is_file(on_disk(place / image)):
            return place
    raise DataError(
        f"{path}: its first image, {image!r}, is neither beside it nor in a folder beside it or its own\n"
        "put the file beside the folder of its images"
    )


def _published(folder: Path, parts: Sequence[str]) -> Captions:
    collector = CaptionCollector()
    for part in parts:
        _collect(folder / ANNOTATIONS[part], collector)
    return collector.collected()


def _collect(path: Path, collector: CaptionCollector) -> dict[str, Split]:
    """Take the captions of a file of annotations, and return the splits of the images that have one."""
    try:
        found = read_json_document(path, MOST_BYTES_OF_LISTS)
        names = {image["id"]: _name(path, image) for image in found["images"]}
        for annotation in found["annotations"]:
            name = names[annotation["image_id"]]
            collector.add(name, text_of(annotation["caption"], f"{path}: {name}"))
        splits = {_name(path, image): image["split"] for image in found["images"] if "split" in image}
        return {name: _split(path, name, split) for name, split in splits.items()}
    except FileNotFoundError:
        archive = f"; it is in COCO's annotations_trainval{path.stem[-4:]}.zip" if path.stem[-4:].isdecimal() else ""
        raise DataError(f"{path}: no such file{archive}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not COCO's captions ({error!r})") from None


def _split(path: Path, name: str, split: object) -> Split:
    known: dict[str, Split] = {**SPLIT_NAMES, **SPLIT_OF}
    if not isinstance(split, str) or split not in known:
        raise DataError(f"{path}: {name} is in the split {split!r}; known: {', '.join(known)}")
    return known[split]


def _name(path: Path, image: Mapping[str, Any]) -> str:
    name = image["file_name"]
    if not isinstance(name, str) or not name:
        raise DataError(f"{path}: image {image['id']} has the file_name {name!r}, which is no name")
    return name


def _image_folder(folder: Path, part: str) -> Path:
    for candidate in (folder / part, folder / "images" / part):
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"{folder / part}: no such folder; it is COCO's {part}.zip, unpacked here or in {folder / 'images'}"
    )


def _splits_file(folder: Path) -> Path | None:
    candidates = (folder / SPLITS_FILE, folder / "annotations" / SPLITS_FILE)
    return next((candidate for candidate in candidates if candidate.is_file()), None)
