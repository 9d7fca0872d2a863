"""Laws of the feature cache, and of images that are damaged in part."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lstmdrop.data.work_progress import listening
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.config import ImageConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.images import store as stores
from lstmdrop_tasks.caption.images.extraction import Extracted, FileEncoder, extract
from lstmdrop_tasks.caption.images.store import FeatureStore, build_store

CPU = torch.device("cpu")
SMALL = ImageConfig(size=64, batch_size=2)


def images(*files: Path) -> list[CaptionedImage]:
    return [CaptionedImage(f"{number}", file, ("a caption",)) for number, file in enumerate(files)]


def draw(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def ready(folder: Path, count: int, shape: Sequence[int] = (2, 3)) -> list[Path]:
    for number in range(count):
        np.save(folder / f"{number:03}.npy", np.full(shape, number, np.float32))
    return [folder / f"{number:03}.npy" for number in range(count)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def build(files: Sequence[Path], cache: Path, config: ImageConfig = SMALL) -> FeatureStore:
    return build_store(images(*files), config, cache, CPU)


def test_encoding_draws_no_random_numbers_of_the_training_that_it_is_for(tmp_path: Path, cache: Path) -> None:
    """A run whose features are there already, as that of one that goes on, would draw others."""
    file = draw(tmp_path / "image.png")
    before = torch.get_rng_state()
    build([file], cache)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_store_holds_what_the_encoder_says_of_each_file(tmp_path: Path, cache: Path) -> None:
    files = [draw(tmp_path / f"{seed}.png", seed) for seed in range(5)]
    store = build(files, cache)
    assert store.features.dtype == np.float16
    assert store.features.shape == (5, 1 + 2 * 2, 1280)
    assert not store.features.flags.writeable
    for row, found in zip(store.features, FileEncoder(SMALL, CPU)(files), strict=True):
        assert found.features is not None
        assert np.allclose(row, found.features, atol=4e-3)  # a step of half precision at 6


def test_rows_are_read_in_the_order_asked_for(tmp_path: Path, cache: Path) -> None:
    store = build(ready(tmp_path, 6, (2, 3)), cache)
    numbers = np.array([4, 0, 4])
    whole, vectors = store.rows(numbers, whole=True), store.rows([4, 0, 4], whole=False)
    assert whole.dtype == vectors.dtype == np.float32
    assert np.array_equal(whole, np.asarray(store.features)[numbers])
    assert np.array_equal(vectors, whole[:, :1])
    assert vectors.shape == (3, 1, 3)
    assert store.rows([], whole=True).shape == (0, 3, 3)


def test_features_are_made_anew_when_content_or_encoder_change_and_only_then(tmp_path: Path, cache: Path) -> None:
    path = draw(tmp_path / "a.png")

    def entries(config: ImageConfig = SMALL, file: Path = path) -> int:
        build([file], cache, config)
        return len(list(cache.iterdir()))

    assert (entries(), entries()) == (1, 1)
    os.utime(path, (1, 1))
    assert entries() == 1  # another time, the same content
    assert entries(file=Path(shutil.copy(path, tmp_path / "copy.png"))) == 1  # another name, the same content
    assert entries(SMALL.model_copy(update={"batch_size": 7})) == 1
    draw(path, seed=1)
    assert entries() == 2
    assert entries(SMALL.model_copy(update={"size": 96})) == 3


def test_the_identity_is_of_the_content_and_the_order(tmp_path: Path, cache: Path) -> None:
    first, second = ready(tmp_path, 2)
    assert build([first, second], cache).sha256 != build([second, first], cache).sha256
    assert build([first, second], cache).sha256 == build([first, second], cache / "other").sha256


def test_a_damaged_image_is_named_and_its_features_are_zero(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 200)
    for number in (0, 199):
        files[number].write_bytes(b"")
    store = build(files, cache)
    assert store.problems.keys() == {"0", "199"}
    assert all(reason.startswith(f"{files[int(name)]}: ") for name, reason in store.problems.items())
    assert len(store) == 200
    assert not store.features[[0, 199]].any()
    assert np.array_equal(store.features[1:199, 0, 0], np.arange(1, 199))
    assert build(files, cache).problems == store.problems


def test_more_than_one_damaged_image_in_a_hundred_is_too_many(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 100)
    files[7].unlink()
    assert build(files, cache).problems == {"7": f"{files[7]}: no such file"}
    files[50].unlink()
    with pytest.raises(DataError, match=rf"2 of 100 images .* more than 1%; the first:\n{files[7]}: no such file"):
        build(files, cache)


def test_a_single_damaged_image_stops_no_split_and_of_many_five_are_named(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 10)
    files[3].unlink()
    assert build(files, cache).problems.keys() == {"3"}
    for file in files[4:]:
        file.unlink()
    with pytest.raises(DataError, match="7 of 10 images cannot be used") as caught:
        build(files, cache)
    assert str(caught.value).splitlines()[1:] == [f"{file}: no such file" for file in files[3:8]]


def test_of_nothing_there_is_no_store(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match=rf"none of 2 images can be used; the first:\n{tmp_path}/a.npy: no such"):
        build([tmp_path / "a.npy", tmp_path / "b.npy"], cache)
    assert not [path for path in cache.glob("*") if path.is_dir()]


def test_features_that_differ_in_shape_are_refused(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 3)
    np.save(files[2], np.zeros((4, 3)))
    with pytest.raises(
        DataError, match=r"002.npy: features of the shape \(5, 3\), and of the files before it \(3, 3\)"
    ):
        build(files, cache)


def test_vectors_alone_are_a_store_of_one_row(tmp_path: Path, cache: Path) -> None:
    store = build(ready(tmp_path, 3, (7,)), cache, ImageConfig(encoder="features"))
    assert store.features.shape == (3, 1, 7)
    assert store.rows([2], whole=True).tolist() == [[[2.0] * 7]]


def test_ready_features_stand_beside_images_of_the_same_shape(tmp_path: Path, cache: Path) -> None:
    (found,) = FileEncoder(SMALL, CPU)([draw(tmp_path / "a.png")])
    assert found.features is not None
    np.savez(tmp_path / "b.npz", vector=found.features[0], map=found.features[1:])
    store = build([tmp_path / "a.png", tmp_path / "b.npz"], cache)
    assert np.array_equal(store.features[0], store.features[1])


def test_a_damaged_entry_is_told_from_damaged_images(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 2)
    store = build(files, cache)
    index = store.file.with_name("index.json")
    whole = json.loads(index.read_text())
    for damage in ({"shape": [3, 3, 3]}, {"shape": [2, 9, 9]}, {"problems": None}, {"problems": {"9": "gone"}}):
        index.write_text(json.dumps({**whole, **damage}))
        with pytest.raises(DataError, match=r"cached features are damaged .*; delete the folder and run again"):
            build(files, cache)


def test_a_disk_that_is_too_small_is_told_before_the_work(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1))
    with pytest.raises(DataError, match=r"the features need .* GB, and 0.0 GB are free\n.*LSTMDROP_CACHE"):
        build(ready(tmp_path, 2), cache)
    assert list(cache.iterdir()) == []


def test_the_work_is_told_from_its_beginning_to_its_end(tmp_path: Path, cache: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    files = ready(tmp_path, 5)
    with listening(lambda what, done, total: heard.append((what, done, total))):
        build(files, cache)
    assert [(done, total) for what, done, total in heard if what == "encoding images"] == [
        (0, 5), (2, 5), (4, 5), (5, 5)
    ]  # fmt: skip
    heard.clear()
    with listening(lambda what, done, total: heard.append((what, done, total))):
        build(files, cache)
    assert not [what for what, _, _ in heard if what == "encoding images"]


def test_an_interrupted_encoding_goes_on_where_it_was(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stores, "NOTED_EVERY", 0)
    files = [draw(tmp_path / f"{seed}.png", seed) for seed in range(9)]
    files[1].write_bytes(b"")
    whole = build(files, cache / "whole")
    asked: list[Path] = []

    def interrupted(some: Sequence[Path], *args: Any) -> Iterator[Extracted]:
        for path, found in zip(some, extract(some, *args), strict=True):
            asked.append(path)
            if path == files[7] and asked.count(path) == 1:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(stores, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(files, cache)
    (features,) = cache.glob(".*.unfinished/features.bin")
    with features.open("ab") as handle:
        handle.write(b"torn")
    again = build(files, cache)
    assert asked == files[:8] + files[6:]
    assert "6 of 9 are encoded from before" in caplog.text
    assert again.file.read_bytes() == whole.file.read_bytes()
    assert (again.sha256, again.problems) == (whole.sha256, whole.problems)
    assert {path.name for path in cache.iterdir()} == {"whole", again.file.parent.name}


def test_a_damaged_note_of_an_interrupted_encoding_is_a_fresh_start(tmp_path: Path, cache: Path) -> None:
    files = ready(tmp_path, 4)
    whole = build(files, cache / "whole")
    unfinished = cache / f".{whole.file.parent.name}.unfinished"
    unfinished.mkdir(parents=True)
    for note in (b"", b"[1]", b'{"number": 2'):
        (unfinished / "journal.json").write_bytes(note)
        (unfinished / "features.bin").write_bytes(b"x" * 99)
        again = build(files, cache)
        assert np.array_equal(again.features, whole.features)
        shutil.rmtree(again.file.parent)
        unfinished.mkdir()
