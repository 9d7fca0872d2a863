"""Using captioning models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.caption.config import CaptionPrediction
from lstmdrop_tasks.caption.corpora.find import find_corpus
from lstmdrop_tasks.caption.data import CaptionData, FeaturesAbout
from lstmdrop_tasks.caption.images.encoder import EfficientNetLite
from lstmdrop_tasks.caption.predict import examples, predict

Build = Callable[..., Any]


def draw_images(folder: Path) -> Path:
    """Seven noisy images of 64 pixels a side, three of them for the test, and a file of their captions."""
    folder.mkdir()
    lines = []
    for number, split in enumerate(("train", "train", "valid", "valid", "test", "test", "test")):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{split}{number}.png")
        lines.append(json.dumps({"image": f"{split}{number}.png", "captions": ["a red ball"], "split": split}))
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "captions.jsonl"


def texts(task: Any, inputs: list[str], **options: Any) -> list[str]:
    return [output["text"] for output in predict([task], inputs, CaptionPrediction(**options))]


def test_a_file_gets_the_caption_that_the_test_gave_it(
    build_caption: Build, toy_captions: Path, tmp_path: Path
) -> None:
    task = build_caption()
    task.evaluate("test", outputs=tmp_path)
    files = [str(toy_captions.parent / f"test{number}.npy") for number in range(5)]
    assert texts(task, files) == (tmp_path / "predictions.txt").read_text().splitlines()
    assert texts(task, files, batch_size=2) == texts(task, files)


def test_many_cut_captions_are_said_with_the_setting(
    build_caption: Build, toy_captions: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = build_caption("decoding.max_length=4", "data.max_length=4")
    with torch.no_grad():
        task.decoder.softmax.bias[task.tokenizer.eos] = -50.0
    task.evaluate("test")
    assert "5 of 5 test captions were cut at the longest length (decoding.max_length=4)" in caplog.text
    file = str(toy_captions.parent / "test0.npy")
    (output,) = predict([task], [file], CaptionPrediction(max_length=7))
    assert len(output["hypotheses"][0]["tokens"]) == 7
    assert "1 of 1 captions were cut at the longest length (--max-length 7)" in caplog.text
    assert "the ends of 24 training captions of 4 tokens or more" in task.summary()["left out"]


def test_a_folder_stands_for_its_images(build_caption: Build, toy_captions: Path) -> None:
    folder = toy_captions.parent
    found = list(predict([build_caption()], ["", str(folder)], CaptionPrediction()))
    assert [output["image"] for output in found] == sorted(map(str, folder.glob("*.npy")))


def test_what_is_passed_over_below_a_folder_is_counted(
    build_caption: Build, toy_captions: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = (toy_captions.parent / "test0.npy").read_bytes()
    folder = tmp_path / "photos"
    places = ["z.npy", "2024/a.NPY", "2024/05/b.npy", ".trash/c.npy", "2024/._a.npy"]
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(good)
    for name in ("notes.txt", "2024/clip.mov", "2024/clip2.MOV", "README"):
        (folder / name).touch()
    (folder / "round").symlink_to(folder)
    found = predict([build_caption()], [str(folder)], CaptionPrediction())
    images = [str(folder / name) for name in ("2024/05/b.npy", "2024/a.NPY", "z.npy")]
    assert [output["image"] for output in found] == images
    (line,) = [line for line in caplog.messages if "passed over" in line]
    for part in ("2 .mov files", "1 .txt files", "1 hidden folders", "1 hidden files", "1 links to folders"):
        assert part in line


def test_n_best_entries_are_sorted_and_look_at_every_place(build_caption: Build, toy_captions: Path) -> None:
    (output,) = predict([build_caption()], [str(toy_captions.parent / "test0.npy")], CaptionPrediction(num_best=4))
    best = output["hypotheses"]
    assert [entry["score"] for entry in best] == sorted((entry["score"] for entry in best), reverse=True)
    assert output["text"] == best[0]["text"]
    for entry in best:
        assert len(entry["attention"]) == len(entry["tokens"])
        assert all(sum(row) == pytest.approx(1, abs=1e-3) and len(row) == 4 for row in entry["attention"])


def test_drawn_captions_follow_the_seed_and_not_the_batch(build_caption: Build, toy_captions: Path) -> None:
    task = build_caption()
    files = [str(toy_captions.parent / f"test{number}.npy") for number in range(5)]
    drawn = texts(task, files, sample=True, seed=3)
    assert texts(task, files, sample=True, seed=3, batch_size=1) == drawn
    assert texts(task, files, sample=True, seed=4) != drawn


def test_a_drawn_caption_follows_no_file_before_it(build_caption: Build, toy_captions: Path, tmp_path: Path) -> None:
    task, (other, good) = build_caption(), [toy_captions.parent / f"test{number}.npy" for number in (0, 1)]
    gone = tmp_path / "gone.npy"
    with_other = texts(task, [str(other), str(good)], sample=True)
    alone = next(predict([task], [str(gone), str(good)], CaptionPrediction(sample=True)))
    assert alone["text"] == with_other[1]


def test_models_with_one_encoder_read_each_file_once_and_those_with_two_read_their_own(
    build_caption: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw_images(tmp_path / "drawn")
    lite = "images.encoder=efficientnet-lite0"
    models = [build_caption(lite, f"images.size={size}", f"seed={seed}", data=data) for size, seed in
              ((64, 1), (64, 2), (96, 1))]  # fmt: skip
    assert {model.about.num_positions for model in models} == {4, 9}
    files = [str(path) for path in sorted(data.parent.glob("test*.png"))]
    sizes: list[tuple[int, int]] = []
    encode = EfficientNetLite.encode

    def counted(self: EfficientNetLite, pixels: torch.Tensor) -> torch.Tensor:
        sizes.append((self.size, len(pixels)))
        return encode(self, pixels)

    monkeypatch.setattr(EfficientNetLite, "encode", counted)
    outputs = list(predict(models, files, CaptionPrediction()))
    assert sorted(sizes) == [(64, 3), (96, 3)]
    assert [output["image"] for output in outputs] == files
    assert all(output["hypotheses"][0]["attention"] is None for output in outputs)
    assert all(output["hypotheses"][0]["attention"] for output in predict(models[:2], files, CaptionPrediction()))
    with pytest.raises(UsageError, match="maps of different sizes"):
        list(predict(models, files[:1], CaptionPrediction(attention=tmp_path / "out.png")))


def test_a_folder_without_images_is_named_after_the_rest(
    build_caption: Build, toy_captions: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").touch()
    outputs = predict([build_caption()], [str(empty), str(toy_captions.parent / "test0.npy")], CaptionPrediction())
    assert next(outputs)["image"].endswith("test0.npy")
    with pytest.raises(DataError, match=rf"1 of the inputs could not be captioned, such as {empty}"):
        next(outputs)
    assert f"{empty}: no image in this folder" in caplog.text


def test_what_cannot_be_read_is_named_after_the_rest(
    build_caption: Build, toy_captions: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = str(toy_captions.parent / "test0.npy")
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"nothing")
    outputs = predict([build_caption()], [str(bad), good], CaptionPrediction())
    assert next(outputs)["image"] == good
    with pytest.raises(DataError, match=r"1 of the inputs could not be captioned, such as .*bad\.npy"):
        next(outputs)
    assert "bad.npy" in caplog.text


def test_a_picture_of_attention_needs_one_picture(build_caption: Build, toy_captions: Path, tmp_path: Path) -> None:
    options = CaptionPrediction(attention=tmp_path / "out.png")
    with pytest.raises(UsageError, match="one image; 2 came"):
        list(predict([build_caption()], ["a.jpg", "b.jpg"], options))
    with pytest.raises(UsageError, match="holds features"):
        list(predict([build_caption()], [str(toy_captions.parent / "test0.npy")], options))
    blind = build_caption("model.architecture=show-tell")
    with pytest.raises(UsageError, match="has no attention to draw"):
        list(predict([blind], [str(toy_captions.parent / "test0.npy")], options))


def test_examples_stand_beside_the_published_captions(build_caption: Build) -> None:
    shown = list(examples(build_caption()))
    assert len(shown) == 5
    assert all(len(one["references"]) == 2 and one["image"].endswith(".npy") for one in shown)


DEFAULT_ENCODER = ("images.encoder=efficientnet-lite0", "images.size=64")


def test_a_photo_is_not_read_by_another_network_than_the_features_of_training(
    build_caption: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The configuration names the default encoder, which made none of the run's features."""
    task = build_caption(*DEFAULT_ENCODER)
    assert task.about.encoder == "features"
    image = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(image)
    with pytest.raises(DataError, match="1 of the inputs could not be captioned"):
        texts(task, [str(image)])
    assert "photo.png: the run was trained on ready-made features" in caplog.text


def test_features_and_photos_are_not_trained_on_together(build_caption: Build) -> None:
    task = build_caption(*DEFAULT_ENCODER)
    files = [image.source for image in task.data.images("train")]
    with pytest.raises(DataError, match=r"is ready-made features and photo.png is not"):
        FeaturesAbout.of(task.data.store("train"), task.config.images, [*files, Path("photo.png")])


def test_photos_are_not_scored_by_a_run_on_ready_made_features(build_caption: Build, tmp_path: Path) -> None:
    task = build_caption(*DEFAULT_ENCODER)
    corpus = find_corpus(str(draw_images(tmp_path / "photos")))
    photos = CaptionData(task.config, lambda: corpus, torch.device("cpu"))
    photos.about = task.about
    with pytest.raises(DataError, match=r"the test images give efficientnet-lite0, .* trained on features"):
        photos.store("test")
