"""What dropout changed, in per cent, and in one sentence."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.metrics.score import Score
from lstmdrop.report.changes import changes, headline, in_reading_order, without_demos
from lstmdrop.report.runs import RunSummary, SplitScore


def run(rule: str, seed: int, value: float, name: str = "perplexity", **changes: object) -> RunSummary:
    """A run of Penn Treebank, but for ``changes``."""
    scores = (SplitScore("test", Score(name, value, name != "perplexity", "")),)
    fields: dict[str, object] = {"task": "lm", "data": "ptb", "size": "small", "scores": scores, **changes}
    return RunSummary(Path(f"{rule}-{seed}-{value}"), regularizer=rule, seed=seed, **fields)  # type: ignore[arg-type]


def test_a_change_is_a_share_of_the_score_without_dropout() -> None:
    (change,) = changes([run("none", 1, 100.0), run("zaremba", 1, 80.0)])
    assert (change.gain, change.margin, change.is_clear) == (20.0, None, False)
    assert change.in_words == "20.0% better"


@pytest.mark.parametrize(("name", "after", "said"), [
    ("perplexity", 80.0, "20.0% better"), ("perplexity", 125.0, "25.0% worse"), ("bleu", 125.0, "25.0% better"),
    ("bleu", 80.0, "20.0% worse"), ("bleu", 100.0, "the same"), ("bleu", 100.04, "the same"),
])  # fmt: skip
def test_better_is_above_nothing_whichever_way_the_score_goes(name: str, after: float, said: str) -> None:
    (change,) = changes([run("none", 1, 100.0, name), run("zaremba", 1, after, name)])
    assert change.in_words == said


@given(st.lists(st.floats(10, 99), min_size=2, max_size=4), st.floats(1, 9))
def test_the_unit_of_a_score_makes_no_difference(values: list[float], factor: float) -> None:
    def told(scale: float) -> tuple[float, float | None]:
        plain = [run("none", seed, scale * value) for seed, value in enumerate(values)]
        dropped = [run("zaremba", seed, scale * (value - seed)) for seed, value in enumerate(values)]
        (change,) = changes([*plain, *dropped])
        return change.gain, change.margin

    assert told(factor) == pytest.approx(told(1.0), rel=1e-6, abs=1e-6)


def test_the_interval_is_that_of_the_difference_in_the_same_per_cent() -> None:
    runs = [run("none", 1, 20.0), run("none", 2, 22.0), run("zaremba", 1, 11.0), run("zaremba", 2, 13.0)]
    (change,) = changes(runs)
    # Welch with equal variances: two degrees of freedom, so 4.303 standard errors of sqrt(2), of 21
    assert change.margin == pytest.approx(100 * 4.30265 * math.sqrt(2) / 21, rel=1e-4)
    assert change.is_clear


def test_what_has_no_per_cent_is_left_out() -> None:
    nothing = [run("none", 1, 0.0), run("zaremba", 1, 1.0)]
    diverged = [run("none", 1, 100.0), run("zaremba", 1, math.inf)]
    for runs in (nothing, diverged, [run("zaremba", 1, 1.0)], [run("none", 1, 1.0)]):
        assert changes(runs) == []


def test_the_answer_counts_and_says_what_chance_could_do() -> None:
    assert headline([]) == ""
    single = [run("none", 1, 100.0), run("zaremba", 1, 80.0), run("naive", 1, 120.0)]
    assert headline(changes(single)) == "1 of 2 scores are better with dropout."
    several = [run("none", 1, 100.0, data="a"), run("none", 2, 101.0, data="a")]
    several += [run("zaremba", 1, 60.0, data="a"), run("zaremba", 2, 61.0, data="a")]
    assert headline(changes([*single, *several])) == (
        "2 of 3 scores are better with dropout; by more than chance 1 better and 0 worse, of 1 with several seeds."
    )


def test_demos_are_left_out_where_there_is_data_to_learn_from() -> None:
    demo, own = run("none", 1, 1.0, data="demo"), run("none", 1, 1.0, data="own")
    assert without_demos([demo, own]) == [own]
    assert without_demos([demo]) == [demo]
    assert without_demos([]) == []


def test_tasks_follow_the_paper_and_demos_come_last() -> None:
    runs = [
        run("none", 1, 1.0, task=task, data=data)
        for task, data in (("own", "x"), ("caption", "coco"), ("mt", "a"), ("asr", "demo"), ("asr", "an4"),
                           ("lm", "demo"), ("lm", "demo"), ("lm", "ptb"), ("lm", "ptb"), ("lm", "a"))
    ]  # fmt: skip
    order = [(key.task, key.data) for key in in_reading_order(runs)]
    assert order == [
        ("lm", "ptb"), ("lm", "a"), ("lm", "demo"), ("asr", "an4"), ("asr", "demo"), ("mt", "a"), ("caption", "coco"),
        ("own", "x"),
    ]  # fmt: skip
