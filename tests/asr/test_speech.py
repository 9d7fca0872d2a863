"""Laws of speed perturbation and of batches of sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Build = Callable[..., Any]
FASTER = ("augmentation.speeds=[0.8,1.0,1.25]", "features.num_filters=10")


@pytest.fixture
def sounds(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    for split, count in (("train", 12), ("valid", 2), ("test", 2)):
        lines = []
        for number in range(count):
            write_tone(f"{split}{number}.wav", 0.4, seed=number)
            line = {"id": f"{split}{number}", "audio": f"{split}{number}.wav", "text": "ab", "alignment": "all.ctm"}
            lines.append(json.dumps(line) + "\n")
        (tmp_path / f"{split}.jsonl").write_text("".join(lines))
    names = [f"{split}{number}" for split in ("train", "valid", "test") for number in range(12)]
    ctm = "".join(f"{name} 1 0.0 0.2 A\n{name} 1 0.2 0.2 B\n" for name in names)
    (tmp_path / "all.ctm").write_text(ctm)
    return tmp_path


@pytest.mark.parametrize("objective", ["ctc", "frames"])
def test_training_sound_is_played_at_every_speed_and_its_labels_follow(
    build_asr: Build, sounds: Path, objective: str
) -> None:
    task = build_asr(f"objective={objective}", *FASTER, data=sounds)
    lengths = []
    for epoch in range(4):
        for batch in task.batches("train", epoch=epoch):
            lengths += batch.lengths.tolist()
            if objective == "frames":
                for column, length in enumerate(batch.lengths.tolist()):
                    phones = [task.targets.phones[n] for n in batch.targets[:length, column].tolist()]
                    assert phones == ["A"] * (length // 2) + ["B"] * (length // 2)
    assert set(lengths) == {50, 40, 32}
    assert {int(n) for batch in task.batches("valid") for n in batch.lengths} == {40}
    assert {int(n) for batch in task.plain_batches("train") for n in batch.lengths} == {40}


def test_the_number_of_batches_does_not_depend_on_the_speeds_drawn(build_asr: Build, sounds: Path) -> None:
    task = build_asr(*FASTER, data=sounds)
    counts = {len(list(task.batches("train", epoch=epoch))) for epoch in range(4)}
    assert counts == {task.num_batches("train")}


def test_text_that_fits_at_one_speed_only_is_left_out(build_asr: Build, sounds: Path) -> None:
    lines = [json.loads(line) for line in (sounds / "train.jsonl").read_text().splitlines()]
    lines[3]["text"] = "ab" * 18  # 36 steps: enough for 40 frames, not for 32
    (sounds / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    network = ("model.stack=1", "model.stride=1", "features.num_filters=10")
    assert "left out" not in build_asr(*network, data=sounds).summary()
    left_out = build_asr(*network, *FASTER[:1], data=sounds).summary()["left out"]
    assert left_out == "1: train3 (32 steps cannot say 36 tokens, which need 36)"


def test_too_long_utterances_are_left_out_of_training_alone(build_asr: Build, sounds: Path) -> None:
    short = build_asr("features.num_filters=10", "data.max_seconds=0.5", data=sounds)
    assert "left out" not in short.summary()
    with pytest.raises(Exception, match=r"no train utterance can be used; the first, train\d+: longer than"):
        build_asr("features.num_filters=10", "data.max_seconds=0.1", data=sounds).num_batches("train")
    assert len(build_asr("features.num_filters=10", "data.max_seconds=0.1", data=sounds).evaluate("valid")) == 3


def test_features_are_the_same_whatever_comes_beside_them(build_asr: Build, sounds: Path) -> None:
    task = build_asr("features.num_filters=10", data=sounds)
    (batch,) = task.plain_batches("valid")
    for column, number in enumerate(batch.numbers.tolist()):
        alone = task.speech.features("valid", number, task.normalisation)
        assert np.array_equal(batch.features[: len(alone), column].numpy(), alone)
