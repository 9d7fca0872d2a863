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


def test_a_line_points_to_its_runs_and_to_the_line_that_it_is_compared_with() -> None:
    runs = [run("zaremba", 1, 30.0, dropout=0.5), run("none", 1, 20.0), run("zaremba", 2, 32.0, dropout=0.5)]
    data = page_data(runs, {})
    assert [one["name"] for one in data["runs"]] == ["zaremba-s1", "none-s1", "zaremba-s2"]
    (group,) = data["groups"]
    assert (group["name"], group["metric"], group["split"]) == ("mt, own, small", "bleu", "test")
    assert group["higherIsBetter"] is True
    plain, dropped = group["lines"]
    assert (plain["name"], plain["runs"], plain["plain"]) == ("none", [1], 0)
    assert (dropped["name"], dropped["runs"], dropped["plain"]) == ("zaremba 0.5", [0, 2], 0)
    assert (dropped["values"], dropped["mean"]) == ([30.0, 32.0], 31.0)
    assert dropped["margin"] == pytest.approx(12.7062, abs=1e-4)
    assert (plain["values"], plain["margin"]) == ([20.0], None)


def test_a_rule_without_a_none_is_compared_with_nothing() -> None:
    (group,) = page_data([run("zaremba", 1, 30.0, dropout=0.5)], {})["groups"]
    assert group["lines"][0]["plain"] is None


def test_without_a_test_score_the_validation_score_is_drawn() -> None:
    runs = [run("none", 1, 20.0, "valid"), run("zaremba", 1, 22.0, "valid")]
    (group,) = page_data(runs, {})["groups"]
    assert (group["split"], [line["mean"] for line in group["lines"]]) == ("valid", [20.0, 22.0])
    (group,) = page_data([*runs, run("none", 2, 25.0)], {})["groups"]
    assert group["split"] == "test"
    assert [line["mean"] for line in group["lines"]] == [25.0, None]
    assert group["lines"][1]["values"] == []


def test_numbers_have_six_digits_and_those_that_are_not_finite_are_gaps() -> None:
    curves = Curves("a", (1, 2), (math.inf, 1234.56789), (math.nan, 0.000123456789), best_epoch=1, with_dropout=False)
    first = run("none", 1, 20.123456789, settings={"training.clip": math.inf, "x": None, "seed": 1})
    shown, bare = page_data([first, run("none", 2, math.nan)], {first.directory: curves})["runs"]
    assert shown["scores"] == {"test bleu": 20.1235}
    assert shown["settings"] == {"training.clip": "inf", "seed": 1}
    assert shown["curves"] == {
        "metric": "perplexity", "withDropout": False, "epochs": (1, 2), "kept": 1,
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
