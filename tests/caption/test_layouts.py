"""Laws of images and captions in one's own layouts, and of COCO's of 2017: who has not split them, and what is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.caption.conftest import write, write_images

from lstmdrop.config import SPLITS
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus
from lstmdrop_tasks.caption.corpora.find import find_corpus

NAMES = [f"{number}.jpg" for number in range(8)]
DEALT = "by the name of the image, 10% each for valid and test; data.split_seed = 0"


def annotations(names: Sequence[str], splits: Sequence[str] = ()) -> str:
    images: list[dict[str, Any]] = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    for image, split in zip(images, splits, strict=False):
        image["split"] = split
    captions = [{"image_id": n, "caption": f"A {name[0]} .", "id": n} for n, name in enumerate(names)]
    return json.dumps({"info": {}, "images": images, "annotations": captions})


def ids(corpus: CaptionCorpus) -> dict[str, set[str]]:
    return {split: {image.id for image in images} for split, images in corpus.splits.items()}


def test_coco_of_2017_as_it_is_published(tmp_path: Path) -> None:
    train, val = [f"{number:012}.jpg" for number in range(200)], [f"{number:012}.jpg" for number in range(900, 905)]
    write(tmp_path / "annotations/captions_train2017.json", annotations(train))
    write(tmp_path / "annotations/captions_val2017.json", annotations(val))
    write(tmp_path / "annotations/instances_val2017.json", "{}")
    for part, names in (("train2017", train), ("val2017", val)):
        write_images(tmp_path / part, names)
    found = find_corpus(str(tmp_path))
    split = ids(found)
    assert split["test"] == set(val)
    assert split["train"] | split["valid"] == set(train)
    assert 2 <= len(split["valid"]) <= 25
    how = "val2017 is the test, 5% of train2017 by the name of the image the validation; data.split_seed = "
    assert found.split == f"{how}0"
    other = find_corpus(str(tmp_path), split_seed=1)
    assert (other.split, ids(other)["test"]) == (f"{how}1", set(val))
    assert ids(other)["valid"] != split["valid"]
    assert all(image.source.is_file() for images in found.splits.values() for image in images)
    (tmp_path / "annotations/captions_train2017.json").unlink()
    assert ids(find_corpus(str(tmp_path), scored=["test"])) == {"test": set(val)}
    with pytest.raises(
        DataError, match=r"captions_train2017.json: no such file; it is in COCO's annotations_trainval2017"
    ):
        find_corpus(str(tmp_path))


def test_coco_of_2017_beside_karpathys_file_is_in_his_splits(tmp_path: Path) -> None:
    names = [f"{number:012}.jpg" for number in range(9)]
    for part, own in (("train2017", names[:6]), ("val2017", names[6:])):
        write(tmp_path / f"annotations/captions_{part}.json", annotations(own))
        write_images(tmp_path / part, own)
    where = dict(zip(names, ["val", "val", "test", "train", "restval", "train", "test", "restval"], strict=False))
    entries = [
        {"filename": f"COCO_val2014_{name}", "filepath": "val2014", "split": split} for name, split in where.items()
    ]
    write(tmp_path / "dataset_coco.json", json.dumps({"images": entries}))
    found = find_corpus(str(tmp_path))
    assert (found.split, found.dropped) == ("Karpathy's, dataset_coco.json", "1 images in no split")
    assert ids(found) == {"train": {*names[3:6], names[7]}, "valid": set(names[:2]), "test": {names[2], names[6]}}
    assert all(image.source.is_file() for images in found.splits.values() for image in images)
    assert ids(find_corpus(str(tmp_path), scored=["test"])) == {"test": ids(found)["test"]}


@pytest.mark.parametrize(
    ("file", "images"), [("mine.json", ""), ("mine.json", "photos"), ("annotations/a.json", "val")]
)
def test_one_file_as_cocos_beside_one_folder_of_images(file: str, images: str, tmp_path: Path) -> None:
    path = write(tmp_path / file, annotations(NAMES))
    write_images(tmp_path / images, NAMES)
    found = find_corpus(str(path))
    assert found.split == DEALT
    assert {name for names in ids(found).values() for name in names} == set(NAMES)
    assert [len(names) for names in ids(found).values()] == [4, 2, 2]
    assert all(image.source.parent == (tmp_path / images) for own in found.splits.values() for image in own)
    if "/" not in file:
        assert ids(find_corpus(str(tmp_path))) == ids(found)


def test_a_file_as_cocos_may_name_splits_and_else_is_one_to_be_scored(tmp_path: Path) -> None:
    write_images(tmp_path, NAMES)
    splits = ["train", "train", "restval", "val", "dev", "test", "test", "test"]
    found = find_corpus(str(write(tmp_path / "mine.json", annotations(NAMES, splits))))
    assert found.split == "as given"
    assert [len(names) for names in ids(found).values()] == [3, 2, 3]
    whole = write(tmp_path / "mine.json", annotations(NAMES))
    assert ids(find_corpus(str(whole), scored=["test"])) == {"test": set(NAMES)}


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (annotations(NAMES, ["train"]), "1.jpg has no 'split', and other images have one"),
        (annotations(NAMES, ["vali"]), "0.jpg is in the split 'vali'; known: train, training, valid, val, dev"),
        (annotations(["gone.jpg"]), "its first image, 'gone.jpg', is neither beside it nor"),
        ('{"images": []}', "not COCO's captions"),
        ("[]", "not COCO's captions"),
    ],
)
def test_what_is_wrong_with_such_a_file_is_said(text: str, about: str, tmp_path: Path) -> None:
    write_images(tmp_path, NAMES)
    with pytest.raises(DataError, match=f"mine.json: {about}"):
        find_corpus(str(write(tmp_path / "mine.json", text)))


def test_a_table_of_captions_is_enough(tmp_path: Path) -> None:
    rows = "".join(f"{name},A dog .\n{name},A cat .\n" for name in [*NAMES, "gone.jpg"])
    path = write(tmp_path / "mine.csv", f"image,caption\n{rows}")
    write_images(tmp_path / "a" / "b", NAMES)
    found = find_corpus(str(path))
    assert (found.split, found.dropped) == (DEALT, "2 captions of images that are not there")
    assert [len(names) for names in ids(found).values()] == [4, 2, 2]
    assert found.splits["train"][0].source.parent == tmp_path / "a" / "b"


def test_images_without_lists_of_splits_are_dealt_and_half_of_the_lists_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "Images", NAMES)
    write(tmp_path / "captions.txt", "image,caption\n" + "".join(f"{name},A dog .\n" for name in NAMES))
    found = find_corpus(str(tmp_path))
    assert found.split == DEALT
    assert {name for names in ids(found).values() for name in names} == set(NAMES)
    with pytest.raises(DataError, match="which image is in which split is not said"):
        find_corpus("flickr8k", _under_its_name(tmp_path))
    write(tmp_path / "train.txt", "0.jpg\n")
    with pytest.raises(DataError, match="which image is in which split is not said"):
        find_corpus(str(tmp_path))


def _under_its_name(folder: Path) -> Path:
    (folder / "known").mkdir()
    (folder / "known" / "flickr8k").symlink_to(folder)
    return folder / "known"


def test_another_seed_deals_images_out_in_another_way_in_every_shape(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(40)]
    write_images(tmp_path / "Images", names)
    rows = "".join(f"{name},A dog .\n" for name in names)
    places = [
        write(tmp_path / "Images" / "mine.csv", f"image,caption\n{rows}"),
        write(tmp_path / "Images" / "mine.json", annotations(names)),
        write(tmp_path / "mine.jsonl", "".join(f'{{"image": "{name}", "captions": ["A dog"]}}\n' for name in names)),
        write(tmp_path / "captions.txt", f"image,caption\n{rows}").parent,
    ]
    for path in places:
        drawn = [find_corpus(str(path), split_seed=seed) for seed in (0, 1, 1)]
        assert ids(drawn[0]) == ids(find_corpus(str(path))) != ids(drawn[1]) == ids(drawn[2])
        assert drawn[1].split.endswith("data.split_seed = 1")
        assert {name for own in ids(drawn[1]).values() for name in own} == set(names)


def test_of_few_images_enough_are_held_out(tmp_path: Path) -> None:
    for number in range(5, 30):
        names = [f"{name}.png" for name in range(number)]
        lines = "".join(json.dumps({"image": name, "captions": ["a dog"]}) + "\n" for name in names)
        found = find_corpus(str(write(tmp_path / "mine.jsonl", lines)))
        assert all(len(found.splits[split]) >= 2 - (split == "train") for split in SPLITS)
        assert sum(map(len, found.splits.values())) == number
