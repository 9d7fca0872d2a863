"""The task on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lstmdrop.cli.app import main

Toys = dict[str, tuple[str, list[str]]]


def run(*arguments: str) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def settings(overrides: list[str]) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def test_frames_from_training_to_prediction(toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, overrides = toys["asr"]
    out = str(tmp_path / "run")
    train = ("train", "asr", "--data", data, "--objective", "frames", "--size", "tiny", "--out", out)
    assert run(*train, *settings(overrides)) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    names = [(row["split"], row["name"]) for row in result["scores"]]
    assert names == [(split, "frame_accuracy") for split in ("train", "valid", "test")]
    capsys.readouterr()
    assert run("eval", "asr", "--run", out, "--split", "train", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["value"] == result["scores"][0]["value"]
    assert run("predict", "asr", "--run", out, "--json", f"{data}/test0.npy", f"{data}/test1.npy") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["audio"].endswith("test0.npy")
    assert second["phones"]


def test_an_objective_that_a_task_does_not_have_is_an_error(
    toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = toys["lm"]
    assert run("train", "lm", "--data", data, "--objective", "frames", "--out", str(tmp_path / "run")) == 3
    assert "there is no setting 'objective'" in capsys.readouterr().err
    assert run("train", "asr", "--objective", "words", "--out", str(tmp_path / "run")) == 3
    assert "objective = 'words'" in capsys.readouterr().err


def test_eval_takes_settings_of_decoding(toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, overrides = toys["asr"]
    out = str(tmp_path / "run")
    short = [*overrides, "training.epochs=1"]
    assert run("train", "asr", "--data", data, "--size", "tiny", "--out", out, *settings(short)) == 0
    capsys.readouterr()
    assert run("eval", "asr", "--run", out, "--set", "decoding.beam_size=3") == 0
    assert "decoding:beam3" in capsys.readouterr().out
    assert run("eval", "asr", "--run", out, "--tune-on", "valid") == 0
    captured = capsys.readouterr()
    assert "chosen on valid: decoding.beam_size=8 decoding.length_bonus=" in captured.err
    assert "wer" in captured.out
    assert run("eval", "asr", "--run", out, "--tune-on", "nowhere") == 2
    assert run("predict", "asr", "--run", out, str(tmp_path / "absent.wav")) == 4
