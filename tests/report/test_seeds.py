"""Means, intervals and differences over seeds, beside closed forms of Student's t with one and two degrees."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.metrics.score import Score
from lstmdrop.report.runs import Gap, RunSummary, SplitScore
from lstmdrop.report.scores import Difference, Pooled, difference, pool, pool_gap, pool_score

T_975_OF_1, T_975_OF_2 = 12.706204736, 4.302652730
VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=5).map(lambda found: Pooled(tuple(found)))


def run(seed: int, **changes: object) -> RunSummary:
    scores = (
        SplitScore("valid", Score("wer", 10.0 * seed, False, "")),
        SplitScore("test", Score("cer", 1.0, False, "")),
    )
    return RunSummary(Path(f"s{seed}"), "asr", "an4", "small", "none", seed, scores, **changes)  # type: ignore[arg-type]


def test_the_margin_is_the_quantile_times_the_error_of_the_mean() -> None:
    assert Pooled((1.0, 3.0)).mean == 2.0
    assert Pooled((1.0, 3.0)).margin == pytest.approx(T_975_OF_1 * 1.0)  # a variance of 2 over 2 seeds
    assert Pooled((1.0, 4.0, 7.0)).margin == pytest.approx(T_975_OF_2 * math.sqrt(9 / 3))
    assert Pooled((5.0, 5.0)).margin == 0.0


@pytest.mark.parametrize("values", [(1.0,), (1.0, math.inf), (math.nan, 1.0, 2.0)])
def test_one_seed_or_a_diverged_one_has_no_margin(values: tuple[float, ...]) -> None:
    assert Pooled(values).margin is None
    found = difference(Pooled(values), Pooled((1.0, 2.0)))
    assert (found.margin, found.p_value) == (None, None)
    assert difference(Pooled((1.0, 2.0)), Pooled(values)).p_value is None


def test_a_difference_by_hand() -> None:
    """Equal variances of 2 and two seeds each: two degrees of freedom, whose t has a closed form."""
    found = difference(Pooled((1.0, 3.0)), Pooled((11.0, 13.0)))
    t = 10 / math.sqrt(2)
    assert found.value == -10.0
    assert found.margin == pytest.approx(T_975_OF_2 * math.sqrt(2))
    assert found.p_value == pytest.approx(1 - t / math.sqrt(2 + t * t))


def test_of_equal_numbers_only_equal_means_are_known_to_be_equal() -> None:
    assert difference(Pooled((2.0, 2.0)), Pooled((2.0, 2.0))) == Difference(0.0, 0.0, 1.0)
    assert difference(Pooled((2.0, 2.0)), Pooled((3.0, 3.0))) == Difference(-1.0, None, None)
    found = difference(Pooled((2.0, 2.0)), Pooled((1.0, 3.0)))  # as sure as the side that varies: one degree
    assert found.margin == pytest.approx(T_975_OF_1 * 1.0)
    assert found.p_value == pytest.approx(1.0)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_the_other_way_round_a_difference_changes_its_sign_alone(ours: Pooled, other: Pooled) -> None:
    forth, back = difference(ours, other), difference(other, ours)
    assert forth.value == -back.value
    assert (forth.margin, forth.p_value) == (back.margin, back.p_value)
    if forth.p_value is not None and forth.margin is not None and forth.margin > 0:
        assert 0 <= forth.p_value <= 1
        if abs(forth.p_value - 0.05) > 1e-6:  # the interval holds 0 where the p-value is not small
            assert (forth.p_value > 0.05) == (abs(forth.value) < forth.margin)


def test_a_seed_counts_once_with_the_mean_of_its_runs() -> None:
    assert pool([(1, 10.0), (2, 30.0), (1, 20.0)]) == Pooled((15.0, 30.0))
    assert pool([]) is None


def test_scores_and_gaps_are_pooled_over_the_runs_that_have_them() -> None:
    gap = Gap("wer", 5.0, 8.0, with_dropout=False)
    runs = [run(1, gap=gap), run(2), run(4, gap=Gap("wer", 9.0, 8.0, with_dropout=False))]
    assert pool_score(runs, "valid", "wer") == Pooled((10.0, 20.0, 40.0))
    assert pool_score(runs, "test", "wer") is None
    assert pool_gap(runs) == Pooled((-3.0, 1.0))
    assert pool_gap([run(2)]) is None
