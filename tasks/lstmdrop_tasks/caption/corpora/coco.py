"""COCO's captions of 2014, in Karpathy's splits."""

from __future__ import annotations

import json
from pathlib import Path

from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus
from lstmdrop_tasks.caption.corpora.karpathy import names_by_split, read_karpathy
from lstmdrop_tasks.caption.corpora.splits import CaptionCollector, Captions, make_corpus

ANNOTATIONS = ("annotations/captions_train2014.json", "annotations/captions_val2014.json")
IMAGE_FOLDERS = ("train2014", "val2014")
SPLITS_FILE = "dataset_coco.json"
SPLITS_URL = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def is_coco(folder: Path) -> bool:
    """Whether a folder looks like COCO's."""
    return (folder / ANNOTATIONS[0]).is_file()


def coco(folder: Path, name: str) -> CaptionCorpus:
    """The published captions, in Karpathy's splits; his ``restval`` trains.

    Raises:
        DataError: a file or a folder is missing, or damaged.
    """
    places = {part: _image_folder(folder, part) for part in IMAGE_FOLDERS}
    images = read_karpathy(_splits_file(folder))
    for image in images:
        if image.folder not in places:
            raise DataError(
                f"{_splits_file(folder)}: {image.name} lies in {image.folder!r}, not in train2014 or val2014"
            )
    captions = _published(folder)
    sources = {image.name: places[image.folder] / image.name for image in images}
    others = sum(1 for image in captions.by_image if image not in sources)
    how = f"Karpathy's, {SPLITS_FILE}"
    return make_corpus(name, how, names_by_split(images), captions, sources, {"images in no split": others})


def _published(folder: Path) -> Captions:
    collector = CaptionCollector()
    for file in ANNOTATIONS:
        path = folder / file
        try:
            found = json.loads(path.read_bytes())
            names = {image["id"]: str(image["file_name"]) for image in found["images"]}
            for annotation in found["annotations"]:
                collector.add(names[annotation["image_id"]], annotation["caption"])
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; it is in COCO's annotations_trainval2014.zip") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: not COCO's captions ({error!r})") from None
    return collector.collected()


def _image_folder(folder: Path, part: str) -> Path:
    for candidate in (folder / part, folder / "images" / part):
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"{folder / part}: no such folder; it is COCO's {part}.zip, unpacked here or in {folder / 'images'}"
    )


def _splits_file(folder: Path) -> Path:
    for candidate in (folder / SPLITS_FILE, folder / "annotations" / SPLITS_FILE):
        if candidate.is_file():
            return candidate
    raise DataError(
        f"{folder / SPLITS_FILE}: no such file, and without it nothing says which image is in which split\n"
        f"put it there; it is in {SPLITS_URL}"
    )
