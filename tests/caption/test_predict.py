"""Using captioning models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.caption.config import CaptionPrediction
from lstmdrop_tasks.caption.predict import examples, predict

Build = Callable[..., Any]


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


def test_a_folder_stands_for_its_images(build_caption: Build, toy_captions: Path) -> None:
    folder = toy_captions.parent
    found = list(predict([build_caption()], ["", str(folder)], CaptionPrediction()))
    assert [output["image"] for output in found] == sorted(map(str, folder.glob("*.npy")))


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


def test_what_cannot_be_read_is_named_after_the_rest(
    build_caption: Build, toy_captions: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = str(toy_captions.parent / "test0.npy")
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"nothing")
    outputs = predict([build_caption()], [str(bad), good], CaptionPrediction())
    assert next(outputs)["image"] == good
    with pytest.raises(DataError, match=r"1 of the files could not be captioned, such as .*bad\.npy"):
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
