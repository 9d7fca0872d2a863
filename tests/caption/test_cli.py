"""The task on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lstmdrop.cli.app import main
from lstmdrop_tasks.caption.demo.corpus import demo


def run(*arguments: str) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def settings(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


@pytest.mark.usefixtures("few_scenes")
def test_the_demo_from_training_to_a_picture_of_attention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # the Python tokeniser: Java takes a second to start
    out = str(tmp_path / "run")
    short = settings("training.epochs=1", "model.hidden_size=16", "images.size=64", "decoding.max_length=6")
    assert run("train", "caption", "--data", "demo", "--size", "tiny", "--out", out, *short) == 0
    scores = json.loads((tmp_path / "run" / "result.json").read_text())["scores"]
    capsys.readouterr()

    assert run("eval", "caption", "--run", out, "--json") == 0
    assert json.loads(capsys.readouterr().out) == [score for score in scores if score["split"] == "test"]

    picture, first = tmp_path / "attention.png", str(demo().splits["test"][0].source)
    assert run("predict", "caption", "--run", out, "--attention", str(picture), "--json", first) == 0
    (output,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert output["image"] == first
    assert len(output["hypotheses"][0]["attention"][0]) == 4
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"

    (tmp_path / "empty").mkdir()
    assert run("predict", "caption", "--run", out, str(tmp_path / "empty")) == 4
    assert "could not be captioned, such as" in capsys.readouterr().err
