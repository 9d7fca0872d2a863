"""Laws of scoring captions that are given, and of beginnings that are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.caption.config import CaptionPrediction
from lstmdrop_tasks.caption.predict import predict

Build = Callable[..., Any]


@pytest.fixture
def task(build_caption: Build) -> Any:
    return build_caption()


@pytest.fixture
def files(toy_captions: Path) -> list[str]:
    return [str(toy_captions.parent / f"test{number}.npy") for number in range(5)]


def outputs(task: Any, inputs: list[str], **options: Any) -> list[dict[str, Any]]:
    tasks = task if isinstance(task, list) else [task]
    return [dict(output) for output in predict(tasks, inputs, CaptionPrediction(**options))]


@pytest.mark.parametrize("architecture", ["attend", "show-tell"])
def test_what_the_beam_finds_scores_as_the_beam_says(build_caption: Build, files: list[str], architecture: str) -> None:
    task = build_caption(f"model.architecture={architecture}")
    with torch.no_grad():
        task.decoder.softmax.bias[task.tokenizer.eos] += 2.0  # or few random hypotheses would end
    found = outputs(task, files, num_best=3, beam_size=3)
    ended = [(one["image"], best) for one in found for best in one["hypotheses"] if best["finished"]]
    assert len(ended) > len(files)
    scored = outputs(task, [f"{image}\t{best['text']}" for image, best in ended], score=True)
    for own, (image, best) in zip(scored, ended, strict=True):
        assert own["image"] == image
        assert own["tokens"] == best["tokens"]
        assert own["log_prob"] == pytest.approx(best["log_prob"], abs=1e-5)
        assert own["score"] == pytest.approx(best["score"], abs=1e-5)


def test_the_batch_changes_nothing_and_models_are_averaged(build_caption: Build, task: Any, files: list[str]) -> None:
    pairs = [f"{files[0]}\tA red ball.", f"{files[1]}\ta ball", f"{files[0]}\ta blue ball", f"{files[2]}\t"]
    together, alone = (outputs(task, pairs, score=True, batch_size=size) for size in (4, 1))
    assert [one["log_prob"] for one in together] == [pytest.approx(one["log_prob"], abs=1e-5) for one in alone]
    assert together[3]["tokens"] == ["<eos>"]
    other = build_caption("seed=2")
    both, second = (outputs(models, pairs, score=True) for models in ([task, other], other))
    for mixed, one, two in zip(both, together, second, strict=True):
        members = torch.tensor([one["token_log_probs"], two["token_log_probs"]])
        torch.testing.assert_close(torch.tensor(mixed["token_log_probs"]), members.exp().mean(0).log())


def test_pairs_may_stand_in_a_text_beside_the_images(task: Any, files: list[str], tmp_path: Path) -> None:
    expected = outputs(task, [f"{files[0]}\ta ball", f"{files[1]}\ta dog"], score=True)
    for place, name in ((tmp_path / "pairs.tsv", files[0]), (Path(files[0]).parent / "pairs.tsv", "test0.npy")):
        place.write_text(f"{name}\ta ball\n\n{files[1]}\ta dog\n", encoding="utf-8")
        found = outputs(task, [str(place)], score=True)
        place.unlink()
        assert [{**one, "image": None} for one in found] == [{**one, "image": None} for one in expected]
    with pytest.raises(DataError, match="line 1: 2 tabs"):
        outputs(task, ["a.jpg\ta\tb"], score=True)
    scored = predict([task], ["gone.npy\ta ball", f"{files[0]}\ta ball"], CaptionPrediction(score=True))
    assert next(scored)["image"] == files[0]
    with pytest.raises(DataError, match=r"1 of the images could not be read, such as gone\.npy"):
        next(scored)


def test_a_caption_goes_on_from_its_beginning(task: Any, files: list[str], caplog: pytest.LogCaptureFixture) -> None:
    for file in files:
        (own,) = outputs(task, [file], beam_size=1)
        for length in (0, 1, 3):
            begun = " ".join(own["text"].split()[:length])
            (again,) = outputs(task, [file], beam_size=1, prefix=begun)
            assert again["text"] == own["text"]
    for sample in (False, True):
        for one in outputs(task, files, prefix="Wugs, a", sample=sample):
            assert one["text"].startswith("Wugs, a")
            assert one["hypotheses"][0]["tokens"][:2] == ["<unk>", "a"]
    assert "the vocabulary lacks a part of 'Wugs, a'" in caplog.text
    with pytest.raises(UsageError, match=r"--prefix '\.': it has no word"):
        outputs(task, files, prefix=".")
