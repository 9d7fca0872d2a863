"""Captions in a language that puts no blanks between words, from training to scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop_tasks.caption.references import segments

Build = Callable[..., Any]
SAID = ("一只狗在草地上跑。", "两只猫睡在沙发上。", "一个男孩踢足球。")


@pytest.fixture
def chinese(toy_captions: Path) -> Path:
    """The toy images, each with two of three captions."""
    lines = [json.loads(line) for line in toy_captions.read_text(encoding="utf-8").splitlines()]
    changed = [{**line, "captions": [SAID[n % 3], SAID[(n + 1) % 3]]} for n, line in enumerate(lines)]
    path = toy_captions.parent / "chinese.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in changed), encoding="utf-8")
    return path


def test_characters_are_tokens_and_scores_count_them(build_caption: Build, chinese: Path, tmp_path: Path) -> None:
    task = build_caption("data.tokens=character", data=chinese)
    tokens = set(task.tokenizer.vocabulary.tokens)
    assert {"狗", "猫", "足"} <= tokens
    assert not {"。", " "} & tokens
    scores = {score.name: score for score in task.evaluate("test", outputs=tmp_path)}
    assert "tokenizer:characters|" in scores["cider"].signature
    assert {"perplexity", "word_perplexity"} <= scores.keys()
    assert "<unk>" not in (tmp_path / "predictions.txt").read_text(encoding="utf-8")
    references = [image.captions for image in task.data.images("test")]
    lines = (tmp_path / "predictions.txt").read_text(encoding="utf-8").splitlines()
    again = segments(task.config)["bleu1"](lines, references)
    assert again.value == pytest.approx(scores["bleu1"].value)


def test_rewards_count_characters_too(build_caption: Build, chinese: Path) -> None:
    task = build_caption("data.tokens=character", data=chinese)
    assert task.cut == "char"
    line = " ".join("一只狗在草地上跑") + " </s>"
    (reward,) = task.rewards.scores([0], [line])
    assert reward > 0


def test_captions_as_single_words_are_said_before_training(
    build_caption: Build, chinese: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_caption(data=chinese)
    assert "set data.tokens=character" in caplog.text
    caplog.clear()
    build_caption("data.tokens=character", data=chinese)
    assert "data.tokens" not in caplog.text
