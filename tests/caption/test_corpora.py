"""Laws of finding images and captions: the published layouts in small, and one's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from tests.caption.conftest import write, write_images

from lstmdrop.commands.data import describe_text
from lstmdrop.config import Split
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, oddities
from lstmdrop_tasks.caption.corpora.coco import read_karpathy
from lstmdrop_tasks.caption.corpora.find import find_corpus

SPLITS: Mapping[Split, tuple[str, ...]] = {"train": ("a", "b", "c"), "valid": ("d", "e"), "test": ("f", "g")}
NAMES = tuple(name for names in SPLITS.values() for name in names)
FILES = tuple(f"{name}.jpg" for name in NAMES)
LISTS = dict(zip(SPLITS, ("train", "dev", "test"), strict=True))
ANNOTATIONS = "annotations/captions_{}2014.json"


def write_lists(folder: Path) -> None:
    for split, names in SPLITS.items():
        write(folder / f"Flickr_8k.{LISTS[split]}Images.txt", "".join(f"{name}.jpg\n" for name in names))


def write_csv(folder: Path, names: Iterable[str] = NAMES) -> Path:
    rows = "".join(f'{name}.jpg,A {name} .\n{name}.jpg,"One, ""{name}"""\n' for name in names)
    return write(folder / "captions.txt", f"image,caption\n{rows}")


def karpathy_entry(name: str, split: str, **more: str) -> dict[str, object]:
    sentences = [{"tokens": ["a", name], "raw": f"A {name} .", "sentid": 1}]
    return {"filename": f"{name}.jpg", "split": split, "sentences": sentences, "imgid": 7, **more}


def write_karpathy(path: Path, entries: Iterable[dict[str, object]] | None = None) -> Path:
    known = {"train": "train", "valid": "val", "test": "test"}
    found = entries or [karpathy_entry(name, known[split]) for split, names in SPLITS.items() for name in names]
    return write(path, json.dumps({"images": list(found), "dataset": "toy"}))


def ids(corpus: CaptionCorpus) -> dict[str, tuple[str, ...]]:
    return {split: tuple(image.id.removesuffix(".jpg") for image in images) for split, images in corpus.splits.items()}


def captions(corpus: CaptionCorpus, name: str = "a.jpg") -> tuple[str, ...]:
    return next(image.captions for images in corpus.splits.values() for image in images if image.id == name)


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    """Flickr8k in small, as it is most often had."""
    folder = tmp_path / "flickr8k"
    write_images(folder / "Images", FILES)
    write_lists(folder)
    write_csv(folder)
    return folder


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """COCO in small: ``c`` is one of the validation images that train."""
    folder = tmp_path / "coco"
    parts = {name: "train" if name in "ab" else "val" for name in NAMES}
    for part in ("train", "val"):
        names = [name for name in NAMES if parts[name] == part]
        write_images(folder / f"{part}2014", [f"{name}.jpg" for name in names])
        images = [{"id": ord(name), "file_name": f"{name}.jpg"} for name in names]
        annotations = [{"image_id": ord(name), "id": n, "caption": f"A {name}\n."} for name in names for n in range(2)]
        write(folder / ANNOTATIONS.format(part), json.dumps({"images": images, "annotations": annotations}))
    known = {"a": "train", "b": "train", "c": "restval", "d": "val", "e": "val", "f": "test", "g": "test"}
    entries = [karpathy_entry(name, known[name], filepath=f"{parts[name]}2014") for name in NAMES]
    write_karpathy(folder / "dataset_coco.json", entries)
    return folder


def jsonl(path: Path, entries: Iterable[object]) -> Path:
    return write(path, "".join(f"{json.dumps(entry)}\n" for entry in entries))


def own_entries() -> list[dict[str, object]]:
    return [
        {"image": f"{name}.jpg", "captions": [f"A {name} ."], "split": split}
        for split, names in SPLITS.items()
        for name in names
    ]


def test_flickr8k_as_it_is_most_often_had(flickr: Path) -> None:
    found = find_corpus("flickr8k", flickr.parent)
    assert ids(found) == SPLITS
    assert captions(found) == ("A a .", 'One, "a"')
    assert found.splits["train"][0].source == flickr / "Images" / "a.jpg"
    assert (found.name, found.dropped) == ("flickr8k", "")
    assert "as published" in found.split
    assert find_corpus(str(flickr)).splits == found.splits


@pytest.mark.parametrize("place", ["Flicker8k_Dataset", "Flicker8k_Dataset/Flicker8k_Dataset", "images"])
def test_the_folder_of_images_has_many_names(place: str, flickr: Path) -> None:
    (flickr / "Images").rename(flickr / "moved")
    (flickr / place).parent.mkdir(exist_ok=True)
    (flickr / "moved").rename(flickr / place)
    assert find_corpus(str(flickr)).splits["train"][0].source == flickr / place / "a.jpg"


def test_captions_come_as_tokens_too(flickr: Path) -> None:
    (flickr / "captions.txt").unlink()
    lines = "".join(f"{name}.jpg#{n}\tA {name}, {n} .\n" for name in NAMES for n in range(2))
    write(flickr / "Flickr8k.token.txt", lines)
    found = find_corpus(str(flickr))
    assert ids(found) == SPLITS
    assert captions(found) == ("A a, 0 .", "A a, 1 .")


def test_flickr30k_as_kaggle_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "flickr30k"
    write_images(folder / "flickr30k_images" / "flickr30k_images", FILES)
    rows = "".join(f"{name}.jpg| 0| A {name} | here .\n" for name in NAMES)
    table = f"image_name| comment_number| comment\n{rows}a.jpg| 4   A dog runs across the grass .\n"
    write(folder / "flickr30k_images" / "results.csv", table)
    for split, file in (("train", "train.txt"), ("valid", "val.txt"), ("test", "test.txt")):
        write(folder / file, "\n".join(SPLITS[split]))  # without the ending of the images
    found = find_corpus("flickr30k", tmp_path)
    assert ids(found) == SPLITS
    assert captions(found) == ("A a | here .", "A dog runs across the grass .")


def test_flickr30k_as_it_is_published_with_karpathys_splits(tmp_path: Path) -> None:
    folder = tmp_path / "flickr30k"
    write_images(folder / "flickr30k-images", FILES)
    write(folder / "results_20130124.token", "".join(f"{name}.jpg#0\tThe {name} .\n" for name in NAMES))
    write_karpathy(folder / "dataset_flickr30k.json")
    found = find_corpus("flickr30k", tmp_path)
    assert ids(found) == SPLITS
    assert captions(found) == ("The a .",)
    (folder / "results_20130124.token").unlink()
    assert captions(find_corpus("flickr30k", tmp_path)) == ("A a .",)  # his file has the captions too


def test_what_is_missing_is_said(flickr: Path) -> None:
    for damage, reason in (
        (lambda: (flickr / "Flickr_8k.devImages.txt").unlink(), "put here Flickr_8k.trainImages.txt, .* or train.txt"),
        (lambda: (write_lists(flickr), (flickr / "captions.txt").unlink()), "no captions are here; they may be in"),
        (lambda: (flickr / "Images").rename(flickr / "photos"), "no folder of images is here; it may be called Images"),
    ):
        damage()
        with pytest.raises(DataError, match=re.escape(str(flickr)) + f": .*(\n.*)?{reason}"):
            find_corpus("flickr8k", flickr.parent)
    with pytest.raises(DataError, match=r"(?s)the dataset 'flickr30k' is not here.*lstmdrop data prepare flickr30k"):
        find_corpus("flickr30k", flickr.parent)


def test_what_is_left_out_is_counted(flickr: Path) -> None:
    write_images(flickr / "Images", ["spare.jpg"])
    with (flickr / "captions.txt").open("a") as handle:
        handle.write("spare.jpg,A spare .\ngone.jpg.1,A .\ngone.jpg.1,B .\na.jpg,  \n")
        handle.write("a.jpg, . . .\na.jpg,&quot;?&quot;\na.jpg,...and 2\n")
    write(flickr / "Flickr_8k.trainImages.txt", "a.jpg\nmute.jpg\nb.jpg\nc.jpg\n")
    found = find_corpus("flickr8k", flickr.parent)
    assert ids(found) == SPLITS
    assert found.dropped == (
        "1 images in no split, 2 captions of images that are not there, 3 blank captions, 1 images without captions"
    )
    assert captions(found)[-1] == "...and 2"


def test_an_image_that_a_split_lists_stays_though_its_file_is_gone(flickr: Path) -> None:
    (flickr / "Images" / "a.jpg").unlink()
    found = find_corpus("flickr8k", flickr.parent)
    assert ids(found) == SPLITS
    assert found.dropped == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,caption\na.jpg,A dog, running .\n", "captions.txt:2: 3 columns, and the header has 2"),
        ("picture,caption\na.jpg,A dog .\n", "captions.txt:1: no column 'image' in the header, but picture, caption"),
        ("a.jpg#0\tA dog .\nb.jpg A cat .\n", "captions.txt:2: not name.jpg#0, a tab and a caption"),
        ("image_name| comment_number| comment\na.jpg A cat .\n", "captions.txt:2: not image_name"),
        ('image,caption\na.jpg,"A dog .\n', "captions.txt:2: unexpected end of data"),
        ("", "the file is empty"),
    ],
)
def test_damaged_captions_are_named_with_their_line(text: str, reason: str, flickr: Path) -> None:
    write(flickr / "captions.txt", text)
    with pytest.raises(DataError, match=re.escape(reason)):
        find_corpus("flickr8k", flickr.parent)


def test_captions_in_another_encoding_are_refused(flickr: Path) -> None:
    (flickr / "captions.txt").write_bytes(b"image,caption\na.jpg,caf\xe9\n")
    with pytest.raises(DataError, match=r"captions.txt:2: byte 0xe9 is not UTF-8"):
        find_corpus("flickr8k", flickr.parent)


def test_an_image_in_two_splits_is_refused(flickr: Path) -> None:
    write(flickr / "Flickr_8k.testImages.txt", "f.jpg\ng.jpg\nb.jpg\n")
    with pytest.raises(DataError, match=r"flickr8k: 1 images are in two splits, such as 'b.jpg' in train and test"):
        find_corpus("flickr8k", flickr.parent)


def test_one_image_cannot_be_scored(flickr: Path) -> None:
    write(flickr / "Flickr_8k.devImages.txt", "d.jpg\nd.jpg\n")
    with pytest.raises(DataError, match="flickr8k: valid has 1 images with captions, and CIDEr needs 2"):
        find_corpus("flickr8k", flickr.parent)


def test_coco_takes_the_published_captions_in_karpathys_splits(coco: Path) -> None:
    found = find_corpus("coco", coco.parent)
    assert ids(found) == SPLITS
    assert captions(found) == ("A a .", "A a .")  # a caption is one line
    sources = [image.source for image in found.splits["train"]]
    assert sources == [coco / "train2014/a.jpg", coco / "train2014/b.jpg", coco / "val2014/c.jpg"]
    assert "Karpathy" in found.split
    assert find_corpus(str(coco)).splits == found.splits
    (coco / "images").mkdir()
    (coco / "val2014").rename(coco / "images" / "val2014")
    assert find_corpus("coco", coco.parent).splits["test"][0].source == coco / "images/val2014/f.jpg"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dataset_coco.json", r"dataset_coco.json: no such file, and without it .*\nput it there; it is in https://"),
        (ANNOTATIONS.format("val"), r"captions_val2014.json: no such file; it is in COCO's annotations_trainval2014"),
        ("train2014", r"train2014: no such folder; it is COCO's train2014.zip, unpacked here or in .*images"),
    ],
)
def test_what_coco_lacks_is_said_with_its_place(name: str, reason: str, coco: Path) -> None:
    (coco / name).rename(coco / "elsewhere")
    with pytest.raises(DataError, match=reason):
        find_corpus("coco", coco.parent)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"images": 3}', '{"images": [{"split": "val"}]}', '{"images": ["a"]}', '{"images": [[]]}', "\xff"],
)
def test_a_damaged_file_of_splits_is_named(text: str, coco: Path) -> None:
    (coco / "dataset_coco.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"dataset_coco.json: not a file of splits"):
        find_corpus("coco", coco.parent)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"images": []}', '{"images": [], "annotations": [{"image_id": 1, "caption": "a"}]}', "\xff"]
)
def test_damaged_annotations_are_named(text: str, coco: Path) -> None:
    (coco / ANNOTATIONS.format("train")).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"captions_train2014.json: not COCO's captions"):
        find_corpus("coco", coco.parent)


def test_a_split_or_a_folder_that_karpathy_does_not_know_is_refused(coco: Path) -> None:
    write_karpathy(coco / "dataset_coco.json", [karpathy_entry("a", "dev", filepath="val2014")])
    with pytest.raises(DataError, match=r"a.jpg is in the split 'dev'; known: train, restval, val, test"):
        find_corpus("coco", coco.parent)
    write_karpathy(coco / "dataset_coco.json", [karpathy_entry("a", "val", filepath="val2017")])
    with pytest.raises(DataError, match=r"a.jpg lies in 'val2017', not in train2014 or val2014"):
        find_corpus("coco", coco.parent)


def test_what_is_only_scored_needs_no_other_split(flickr: Path, coco: Path, tmp_path: Path) -> None:
    (flickr / "Flickr_8k.trainImages.txt").unlink()
    shutil.rmtree(coco / "train2014")
    (coco / ANNOTATIONS.format("train")).unlink()
    for folder in (flickr, coco):
        assert ids(find_corpus(str(folder), scored=["test"])) == {"test": SPLITS["test"]}
        with pytest.raises(DataError):
            find_corpus(str(folder))
    for path in flickr.glob("*Images.txt"):
        path.unlink()
    assert ids(find_corpus(str(flickr), scored=["test"])) == {"test": tuple(NAMES)}  # one folder, one split
    whole = jsonl(
        tmp_path / "mine.jsonl", [{k: v for k, v in entry.items() if k != "split"} for entry in own_entries()]
    )
    assert {split: len(own) for split, own in ids(find_corpus(str(whole), scored=["valid"])).items()} == {"valid": 7}


def test_ones_own_splits_are_taken_as_given(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "captions.jsonl", own_entries())
    found = find_corpus(str(path))
    assert ids(found) == SPLITS
    assert found.split == "as given"
    assert found.splits["train"][0].source == tmp_path / "a.jpg"
    assert find_corpus(str(tmp_path)) == found


def test_several_lines_about_an_image_are_taken_together(tmp_path: Path) -> None:
    more = {"image": "./a.jpg", "captions": ["Another .", "\t"], "split": "train"}
    found = find_corpus(str(jsonl(tmp_path / "mine.jsonl", [*own_entries(), more])))
    assert ids(found) == SPLITS
    assert captions(found) == ("A a .", "Another .")
    assert found.dropped == "1 blank captions"


def test_without_splits_the_name_of_an_image_alone_decides(tmp_path: Path) -> None:
    def splits(names: list[str]) -> dict[str, str]:
        entries = [{"image": name, "captions": ["A ."]} for name in names]
        found = find_corpus(str(jsonl(tmp_path / "mine.jsonl", entries)))
        assert found.split == "by the name of the image, 10% each for valid and test; data.split_seed = 0"
        return {image.id: split for split, images in found.splits.items() for image in images}

    names = [f"{number}.jpg" for number in range(1000)]
    everything, reversed_half = splits(names), splits(names[:500][::-1])
    assert reversed_half == {name: everything[name] for name in names[:500]}
    shares = {split: list(everything.values()).count(split) for split in SPLITS}
    assert 70 <= shares["valid"] <= 130
    assert 70 <= shares["test"] <= 130
    # Pinned: a release that draws otherwise would test on what earlier ones trained on.
    assert [name for name in names[:40] if everything[name] == "test"] == ["11.jpg", "12.jpg"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not an object such as"),
        ('{"captions": ["a"], "split": "train"}', "the line has no 'image'"),
        ('{"image": "a.jpg", "split": "train"}', "the line has no 'captions'"),
        ('{"image": "a.jpg", "caption": ["a"]}', "unknown key 'caption'; did you mean 'captions'"),
        ('{"image": 3, "captions": ["a"], "split": "train"}', "'image' must be the path of a file, not 3"),
        ('{"image": "a.jpg", "captions": [], "split": "train"}', "'captions' must be a list of one or more texts"),
        ('{"image": "a.jpg", "captions": "a", "split": "train"}', "'captions' must be a list of one or more texts"),
        ('{"image": "a.jpg", "captions": [null], "split": "train"}', "a.jpg: a caption is null, where a text"),
        ('{"image": "a.jpg", "captions": [true], "split": "train"}', "a.jpg: a caption is true, where a text"),
        ('{"image": "a.jpg", "captions": [["a"]], "split": "train"}', 'a.jpg: a caption is ["a"], where a text'),
        ('{"image": "a.jpg", "captions": ["a"], "split": "vali"}', "the split 'vali' is none of train, valid, test"),
        ('{"image": "a.jpg", "captions": ["a"], "split": ["x"]}', "the split ['x'] is none of"),
        ('{"image": "a.jpg", "captions": ["a"]}', "no 'split', and other lines have one"),
        ("\xff", "byte 0xff is not UTF-8"),
    ],
)
def test_a_damaged_line_is_named(line: str, reason: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "mine.jsonl", own_entries()[:2])
    path.write_bytes(path.read_bytes() + b"\n" + line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=re.escape(f"{path}:4: {reason}")):
        find_corpus(str(path))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda entries: [{**e, "split": "test"} for e in entries], "there is no training image with a caption"),
        (lambda entries: entries[:-1], "test has 1 images with captions, and CIDEr needs 2 at least"),
        (lambda entries: [{**e, "captions": [" "]} for e in entries], "there is no training image with a caption"),
        (lambda entries: [*entries, {**entries[0], "split": "test"}], "1 images are in two splits, such as 'a.jpg'"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(
    change: Callable[[list[dict[str, object]]], list[dict[str, object]]], reason: str, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "mine.jsonl", change(own_entries()))
    with pytest.raises(DataError, match=re.escape(f"{path}: {reason}")):
        find_corpus(str(path))


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean 'flickr8k'\?\ndatasets: flickr8k, flickr30k, coco, demo"):
        find_corpus("flickr8")
    with pytest.raises(DataError, match=r"no known layout is in this folder\nit needs captions.jsonl; "):
        find_corpus(str(tmp_path))
    with pytest.raises(DataError, match="the file is empty"):
        find_corpus(str(write(tmp_path / "empty.jsonl")))


def test_karpathys_captions_are_texts_or_their_tokens(tmp_path: Path) -> None:
    """Whatever else stands there would be printed into the vocabulary: None, True, a whole object."""
    path = tmp_path / "dataset_flickr8k.json"

    def read(*sentences: object) -> tuple[str, ...]:
        write_karpathy(path, [{**karpathy_entry("a", "train"), "sentences": list(sentences)}])
        (image,) = read_karpathy(path)
        return image.captions

    assert read({"raw": "A dog.", "tokens": ["a", "dog"]}, {"tokens": ["a", "cat"]}, {"raw": 5}) == (
        "A dog.",
        "a cat",
        "5",
    )
    for wrong in (
        {"raw": None},
        {"raw": True},
        {"raw": ["a"]},
        {"tokens": "a dog"},
        {"tokens": [1]},
        {"sentid": 3},
        None,
    ):
        with pytest.raises(
            DataError, match=r"dataset_flickr8k.json: a.jpg: a caption is .*, where a text or its tokens"
        ):
            read(wrong)
    for key in ("filename", "split"):
        write_karpathy(path, [{**karpathy_entry("a", "train"), key: None}])
        with pytest.raises(DataError, match="None"):
            read_karpathy(path)


@pytest.mark.parametrize("caption", ["null", "true", "{}"])
def test_cocos_captions_are_texts(coco: Path, caption: str) -> None:
    path = coco / "annotations/captions_train2014.json"
    annotations = json.loads(path.read_text(encoding="utf-8"))
    annotations["annotations"][0]["caption"] = json.loads(caption)
    path.write_text(json.dumps(annotations), encoding="utf-8")
    with pytest.raises(DataError, match=f"captions_train2014.json: .*: a caption is {caption}, where a text"):
        find_corpus(str(coco))


NFC, NFD = "\u00e9t\u00e9", "e\u0301te\u0301"


def renamed(folder: Path, spelling: str, ending: str) -> dict[str, Path]:
    """The images under other names: of each name as it is listed, its file."""
    found = {}
    for path in sorted(folder.glob("*.jpg")):
        other = path.with_name(f"{spelling}{path.stem}{ending}")
        found[path.stem] = path.rename(other)
    return found


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC), ("", "")])
@pytest.mark.parametrize("says_splits", ["lists", "karpathy"])
def test_flickrs_images_are_found_under_the_other_spelling_of_their_names(
    flickr: Path, listed: str, there: str, says_splits: str
) -> None:
    files = renamed(flickr / "Images", there, ".JPG")
    if says_splits == "lists":
        for path in flickr.glob("Flickr_8k.*"):
            path.write_text("".join(f"{listed}{line}\n" for line in path.read_text().splitlines()), encoding="utf-8")
    else:
        for path in flickr.glob("Flickr_8k.*"):
            path.unlink()
        known = {"train": "train", "valid": "val", "test": "test"}
        entries = [karpathy_entry(f"{listed}{name}", known[split]) for split, names in SPLITS.items() for name in names]
        write_karpathy(flickr / "dataset_flickr8k.json", entries)
    rows = "".join(f"{there}{name}.Jpg,A {name} .\n" for name in NAMES)  # the table has a third spelling
    write(flickr / "captions.txt", f"image,caption\n{rows}")
    corpus = find_corpus(str(flickr))
    assert corpus.dropped == ""
    assert ids(corpus) == {split: tuple(f"{listed}{name}" for name in names) for split, names in SPLITS.items()}
    found = {image.captions[0]: image.source for images in corpus.splits.values() for image in images}
    assert found == {f"A {name} .": file for name, file in files.items()}


def test_flickrs_lists_may_name_folders_and_images_lie_in_them(flickr: Path) -> None:
    inner = flickr / "Images" / "part 1"
    inner.mkdir()
    for name in "abc":
        (flickr / "Images" / f"{name}.jpg").rename(inner / f"{name}.jpg")
    for path in flickr.glob("Flickr_8k.*"):
        path.write_text("".join(f"Images/{line}\n" for line in path.read_text().splitlines()))
    corpus = find_corpus(str(flickr))
    assert [image.source for image in corpus.splits["train"]] == [inner / f"{name}.jpg" for name in "abc"]
    assert [image.source for image in corpus.splits["test"]] == [flickr / "Images" / f"{name}.jpg" for name in "fg"]
    assert (corpus.dropped, captions(corpus, "Images/a.jpg")) == ("", ("A a .", 'One, "a"'))
    write(flickr / "Flickr_8k.testImages.txt", "f.jpg\nImages/f.jpg\n")
    with pytest.raises(DataError, match=r"of the splits are one file, f\.jpg"):
        find_corpus(str(flickr))


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC)])
def test_images_of_ones_own_and_cocos_are_found_under_the_other_spelling(
    tmp_path: Path, coco: Path, listed: str, there: str
) -> None:
    lines = [{"image": f"pictures/{listed}{n}.png", "captions": ["a dog"], "split": "test"} for n in range(2)]
    path = write(tmp_path / "own.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    files = [write(tmp_path / "pictures" / f"{there}{n}.PNG") for n in range(2)]
    assert [image.source for image in find_corpus(str(path), scored=["test"]).splits["test"]] == files
    (image,) = coco.rglob("a.jpg")
    other = image.rename(image.with_name("a.JPG"))
    assert other in [image.source for image in find_corpus(str(coco)).splits["train"]]


def test_captions_that_write_a_letter_in_two_ways_are_said(tmp_path: Path) -> None:
    lines = [{"image": f"{n}.png", "captions": [f"un \u00c9t\u00e9 {n}"], "split": "train"} for n in range(3)]
    lines += [{"image": f"{n}.png", "captions": [f"un {NFD}"], "split": split}
              for split, numbers in (("valid", "34"), ("test", "56")) for n in numbers]  # fmt: skip
    path = write(tmp_path / "own.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    told = list(describe_text(path))[-1]
    assert told.startswith(f"{path}, 3.png: ")
    assert f"in {path}, 0.png: one letter in different code points" in told
    (told,) = oddities(find_corpus(str(path), scored=["test"]), frozenset({"\u00e9"}))
    assert told.startswith(f"{path}, 5.png: ")
    assert not oddities(find_corpus(str(path), scored=["train"]), frozenset({"\u00e9"}))
