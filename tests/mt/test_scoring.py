"""Laws of scoring translations that are given, and of beginnings that are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.errors import DataError
from lstmdrop.presets import require_effect
from lstmdrop_tasks.mt.config import MTPrediction
from lstmdrop_tasks.mt.predict import predict

SOURCES = ["one red house", "cat", "two cats see a house", "", "a word that nobody knows"]
Build = Callable[..., Any]


@pytest.fixture
def task(build_mt: Build) -> Any:
    made = build_mt("data.tokens=word", "data.joint=false", "data.vocabulary_size=null")
    with torch.no_grad():
        made.model.decoder.softmax.bias[made.tokenizers.target.eos] += 1.0  # or few random hypotheses would end
    return made


def outputs(task: Any, lines: list[str], **options: Any) -> list[dict[str, Any]]:
    tasks = task if isinstance(task, list) else [task]
    return [dict(output) for output in predict(tasks, lines, MTPrediction(**options))]


def test_what_the_beam_finds_scores_as_the_beam_says(task: Any) -> None:
    how = {"coverage_penalty": 0.2, "length_penalty": 0.7}
    found = outputs(task, SOURCES, num_best=4, **how)
    ended = [(one["source"], best) for one in found for best in one["hypotheses"] if best["finished"]]
    assert len(ended) > len(SOURCES)
    pairs = [f"{source}\t{best['text']}" for source, best in ended]
    for scored, (source, best) in zip(outputs(task, pairs, score=True, **how), ended, strict=True):
        assert scored["log_prob"] == pytest.approx(best["log_prob"], abs=1e-5)
        assert scored["score"] == pytest.approx(best["score"], abs=1e-5)
        assert (scored["source"], scored["tokens"]) == (source, best["tokens"] if source else [])


def test_the_batch_changes_nothing_and_models_are_averaged(task: Any, build_mt: Build) -> None:
    pairs = ["one red house\tune maison", "cat\tchat", "two\t", "\tun"]
    together, alone = (outputs(task, pairs, score=True, batch_size=size) for size in (8, 1))
    assert [one["log_prob"] for one in together] == [pytest.approx(one["log_prob"], abs=1e-5) for one in alone]
    other = build_mt("data.tokens=word", "data.joint=false", "data.vocabulary_size=null", "seed=5")
    both, second = (outputs(models, pairs, score=True) for models in ([task, other], other))
    for mixed, one, two in zip(both, together, second, strict=True):
        members = torch.tensor([one["token_log_probs"], two["token_log_probs"]])
        torch.testing.assert_close(torch.tensor(mixed["token_log_probs"]), members.exp().mean(0).log())


def test_translations_may_come_from_a_file_or_as_lists_of_the_best(task: Any, tmp_path: Path) -> None:
    pairs = outputs(task, ["cat\tchat", "house\tune maison"], score=True)
    (tmp_path / "lines").write_text("chat\nune maison\n", encoding="utf-8")
    assert outputs(task, ["cat", "house"], score=True, against=tmp_path / "lines") == pairs
    (tmp_path / "best").write_text(
        "0 ||| chat ||| f= 1 ||| -3\n1 ||| une maison ||| -2\n1 |||  ||| -1\n", encoding="utf-8"
    )
    scored = outputs(task, ["cat", "house"], score=True, against=tmp_path / "best")
    assert [one.pop("id") for one in scored] == [0, 1, 1]
    assert [one["line"] for one in scored] == [1, 2, 2]
    assert scored[:2] == pairs
    assert (scored[2]["target"], scored[2]["tokens"]) == ("", ["<eos>"])


@pytest.mark.parametrize(
    ("lines", "content", "about"),
    [
        (["cat"], None, "line 1: 0 tabs in 'cat'"),
        (["cat\tchat", "a\tb\tc"], None, "line 2: 2 tabs"),
        (["cat", "house"], "chat\n", "given ends before line 2, which the input has"),
        (["cat"], "chat\nmaison\n", "the input ends before line 2, which .*given has"),
        (["cat"], "0 ||| chat\n3 ||| chien\n", "given:2: source 3 of 1"),
        (["cat"], "0 ||| chat\nchien\n", "given:2: 'chien' is not as the first line"),
    ],
)
def test_what_is_no_pair_is_named(task: Any, tmp_path: Path, lines: list[str], content: str | None, about: str) -> None:
    (tmp_path / "given").write_text(content or "", encoding="utf-8")
    with pytest.raises(DataError, match=about):
        outputs(task, lines, score=True, against=tmp_path / "given" if content else None)


def test_a_translation_goes_on_from_its_beginning(task: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    greedy = outputs(task, SOURCES, beam_size=1)
    begun = [" ".join(one["text"].split()[:2]) for one in greedy]
    (tmp_path / "begun").write_text("".join(f"{text}\n" for text in begun), encoding="utf-8")
    again = outputs(task, SOURCES, beam_size=1, prefixes=tmp_path / "begun")
    assert [one["text"] for one in again] == [one["text"] for one in greedy]
    for sample in (False, True):
        (one,) = outputs(task, ["cat"], prefix="Grauwacke ", sample=sample)
        assert one["text"].startswith("Grauwacke")
        assert one["hypotheses"][0]["tokens"][0] == "<unk>"
    assert "--prefix: the vocabulary lacks a part of 'Grauwacke '" in caplog.text
    with pytest.raises(DataError, match="begun ends before line 6"):
        outputs(task, [*SOURCES, "cat"], prefixes=tmp_path / "begun")
    with pytest.raises(DataError, match="begun has more lines than the input, which has 1"):
        outputs(task, ["cat"], prefixes=tmp_path / "begun")


@pytest.mark.parametrize("wrong", [{"beam_size": 3}, {"sample": True}, {"prefix": "a"}])
def test_scoring_searches_for_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="only without --score"):
        require_effect(MTPrediction(score=True, **wrong))
