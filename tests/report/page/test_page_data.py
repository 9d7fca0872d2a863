"""What the page's script gets to draw."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.curves import Curves
from lstmdrop.report.page.data import as_script, page_data
from lstmdrop.report.page.examples import (
    LARGEST_IMAGE,
    Attention,
    Example,
    examples_html,
    from_predictions,
    read_examples,
)
from lstmdrop.report.runs import RunSummary, SplitScore


def run(rule: str, seed: int, value: float, split: str = "test", **changes: object) -> RunSummary:
    scores = (SplitScore(split, Score("bleu", value, True, "")),)
    return RunSummary(Path(f"{rule}-s{seed}"), "mt", "own", "small", rule, seed, scores, **changes)  # type: ignore[arg-type]


def test_numbers_have_six_digits_and_those_that_are_not_finite_are_gaps() -> None:
    curves = Curves("a", (1, 2), (math.inf, 1234.56789), (math.nan, 0.000123456789), best_epoch=1, with_dropout=False)
    first = run("none", 1, 20.123456789, settings={"training.clip": math.inf, "x": None, "seed": 1})
    shown, bare = page_data([first, run("none", 2, math.nan)], {first.directory: curves})["runs"]
    assert shown["scores"] == {"test bleu": 20.1235}
    assert shown["settings"] == {"training.clip": "inf", "seed": 1}
    assert shown["curves"] == {
        "metric": "perplexity", "title": "perplexity", "withDropout": False, "epochs": (1, 2), "kept": 1,
        "training": [None, 1234.57], "validation": [None, 0.000123457],
    }  # fmt: skip
    assert (bare["curves"], bare["scores"]) == (None, {"test bleu": None})
    kept = page_data([first], {first.directory: replace(curves, best_epoch=None)})["runs"][0]["curves"]["kept"]
    assert kept == 2, "the last epoch, where none is marked"
    json.loads(as_script(page_data([first, run("none", 2, math.nan)], {})), parse_constant=pytest.fail)


def example_lines(folder: Path, *examples: object) -> Path:
    (folder / "examples.jsonl").write_text("".join(f"{json.dumps(one)}\n\n" for one in examples), encoding="utf-8")
    return folder


def test_examples_are_read_up_to_a_limit_and_blank_lines_are_none(tmp_path: Path) -> None:
    assert read_examples(tmp_path, 3) == []
    folder = example_lines(tmp_path, *({"text": str(number)} for number in range(4)))
    assert [example.text for example in read_examples(folder, 3)] == ["0", "1", "2"]


def test_attention_is_cut_to_the_tokens_that_there_are(tmp_path: Path) -> None:
    best = {"tokens": ["x", "y"], "attention": [[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]}
    (found,) = read_examples(
        example_lines(tmp_path, {"text": "x", "source_tokens": ["a", "b"], "hypotheses": [best]}), 1
    )
    assert found.attention == Attention(("a", "b"), ("x", "y"), ((0.5, 0.25), (1.0, 0.0)))
    for missing in ({"tokens": []}, {"attention": []}, {"attention": None}):
        output = {"text": "x", "source_tokens": ["a", "b"], "hypotheses": [{**best, **missing}]}
        assert read_examples(example_lines(tmp_path, output), 1)[0].attention is None
    assert read_examples(example_lines(tmp_path, {"text": "x", "hypotheses": [best]}), 1)[0].attention is None


def test_predictions_without_their_items_stand_alone() -> None:
    assert from_predictions(["a", "b", "c"], [], 2) == [Example("a"), Example("b")]


def test_only_a_single_reference_marks_errors() -> None:
    one, several, silent = (
        examples_html("run", [Example(text, references=references)])
        for text, references in (("a x c", ("a b c d",)), ("a x", ("a b", "a c")), ("", ("a b", "a c")))
    )
    assert '<mark title="in place of: b">x</mark> c <del title="missing">d</del>' in one
    assert "<mark" not in several
    assert '<span class="model">a x</span>' in several
    assert "<em>nothing</em>" in silent
    assert "<em>nothing</em>" in examples_html("run", [Example("", references=("",))])


def test_what_an_example_lacks_has_no_line() -> None:
    assert "label" not in examples_html("run", [])
    bare = examples_html("run", [Example("a")])
    assert bare.count('class="label"') == 1
    assert "attention" not in bare
    full = examples_html("run", [Example("a", source="s", prompt="p", references=("r", "q"))])
    assert full.count('class="label"') == 5


@pytest.mark.parametrize(("num_bytes", "is_inlined"), [(LARGEST_IMAGE, True), (LARGEST_IMAGE + 1, False)])
def test_a_large_picture_is_named_only(tmp_path: Path, num_bytes: int, is_inlined: bool) -> None:
    (tmp_path / "a.png").write_bytes(bytes(num_bytes))
    shown = examples_html("run", [Example("a", image=tmp_path / "a.png")])
    assert ("base64" in shown) is is_inlined
    assert ('<span class="image">a.png</span>' in shown) is not is_inlined


def test_weights_are_drawn_to_three_digits() -> None:
    attention = Attention(("a",), ("b",), ((0.123456,),))
    assert '"weights":[[0.123]]' in examples_html("run", [Example("b", attention=attention)])
