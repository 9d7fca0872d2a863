"""The task on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]
Toys = dict[str, tuple[str, list[str]]]


def test_frames_from_training_to_prediction(lstmdrop: Command, toys: Toys, tmp_path: Path) -> None:
    data, settings = toys["asr"]
    out = tmp_path / "run"
    options = ("--data", data, "--objective", "frames", "--size", "tiny", "--out", out)
    assert lstmdrop("train", "asr", *options, settings=settings).code == 0
    result = json.loads((out / "result.json").read_text())
    names = [(row["split"], row["name"]) for row in result["scores"]]
    scores = ("frame_accuracy", "frame_loss")
    assert names == [(split, score) for split in ("train", "valid", "test") for score in scores]
    row, _ = json.loads(lstmdrop("eval", "asr", "--run", out, "--split", "train", "--json").output)
    assert row["value"] == result["scores"][0]["value"]
    predicted = lstmdrop("predict", "asr", "--run", out, "--json", f"{data}/test0.npy", f"{data}/test1.npy")
    first, second = map(json.loads, predicted.output.splitlines())
    assert first["audio"].endswith("test0.npy")
    assert second["phones"]


def test_an_objective_that_a_task_does_not_have_is_an_error(lstmdrop: Command, toys: Toys, tmp_path: Path) -> None:
    data, _ = toys["lm"]
    out = tmp_path / "run"
    without = lstmdrop("train", "lm", "--data", data, "--objective", "frames", "--out", out)
    unknown = lstmdrop("train", "asr", "--objective", "words", "--out", out)
    assert (without.code, unknown.code) == (2, 3)
    assert "No such option: --objective" in without.messages
    assert "objective = 'words'" in unknown.messages


def test_eval_takes_settings_of_decoding(lstmdrop: Command, toys: Toys, tmp_path: Path) -> None:
    data, settings = toys["asr"]
    out = tmp_path / "run"
    short = [*settings, "training.epochs=1"]
    assert lstmdrop("train", "asr", "--data", data, "--size", "tiny", "--out", out, settings=short).code == 0
    wider = lstmdrop("eval", "asr", "--run", out, "--set", "decoding.beam_size=3")
    assert wider.code == 0
    assert "decoding:beam3" in wider.output
    tuned = lstmdrop("eval", "asr", "--run", out, "--tune-on", "valid")
    assert tuned.code == 0
    assert "chosen on valid: decoding.beam_size=8 decoding.length_bonus=" in tuned.messages
    assert "wer" in tuned.output
    assert lstmdrop("eval", "asr", "--run", out, "--tune-on", "nowhere").code == 2
    assert lstmdrop("predict", "asr", "--run", out, tmp_path / "absent.wav").code == 4
