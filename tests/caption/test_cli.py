"""The task on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lstmdrop_tasks.caption.corpora.demo.corpus import demo

Command = Callable[..., Any]


@pytest.mark.usefixtures("few_scenes")
def test_the_demo_from_training_to_a_picture_of_attention(
    lstmdrop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # the Python tokeniser: Java takes a second to start
    out = tmp_path / "run"
    short = ["training.epochs=1", "model.hidden_size=16", "images.size=64", "decoding.max_length=6"]
    assert lstmdrop("train", "caption", "--data", "demo", "--size", "tiny", "--out", out, settings=short).code == 0
    scores = json.loads((out / "result.json").read_text())["scores"]

    scored = lstmdrop("eval", "caption", "--run", out, "--json")
    assert json.loads(scored.output) == [score for score in scores if score["split"] == "test"]

    picture, first = tmp_path / "attention.png", str(demo().splits["test"][0].source)
    predicted = lstmdrop("predict", "caption", "--run", out, "--attention", picture, "--json", first)
    (output,) = map(json.loads, predicted.output.splitlines())
    assert output["image"] == first
    assert len(output["hypotheses"][0]["attention"][0]) == 4
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"

    (tmp_path / "empty").mkdir()
    nothing = lstmdrop("predict", "caption", "--run", out, tmp_path / "empty")
    assert nothing.code == 4
    assert "could not be captioned, such as" in nothing.messages
