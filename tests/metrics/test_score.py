"""Which of two epochs or settings is the better one."""

from __future__ import annotations

import math

import pytest

from lstmdrop.metrics.score import Score, are_better


def scores(bleu: float, chrf: float, perplexity: float) -> list[Score]:
    return [Score("bleu", bleu, True, ""), Score("chrf", chrf, True, ""), Score("perplexity", perplexity, False, "")]


@pytest.mark.parametrize(
    ("ours", "theirs", "better"),
    [
        (scores(2, 0, 9), scores(1, 9, 1), True),
        (scores(0, 20, 9), scores(0, 10, 1), True),
        (scores(0, 10, 1), scores(0, 20, 9), False),
        (scores(0, 10, 4), scores(0, 10, 5), True),
        (scores(0, 10, 5), scores(0, 10, 5), False),
        (scores(0, math.nan, 4), scores(0, math.nan, 5), True),
        (scores(0, math.nan, 5), scores(0, 3, 5), False),
        (scores(0, 10, math.inf), scores(0, 10, 5), False),
    ],
)
def test_the_next_score_decides_where_the_first_is_equal(ours: list[Score], theirs: list[Score], better: bool) -> None:
    assert are_better(ours, theirs) is better
    assert not (better and are_better(theirs, ours))


def test_a_task_with_more_scores_is_compared_by_those_that_both_have() -> None:
    assert are_better(scores(2, 0, 9), scores(1, 9, 1)[:1])
    assert not are_better(scores(1, 0, 9)[:1], scores(1, 9, 1))
    assert not are_better([], scores(1, 9, 1))


def test_counts_are_the_whole_numbers_that_a_signature_names_as_such() -> None:
    score = Score("wer", 1.0, False, "lines|words:12|lines:3|unknown:0|tok:13a|frames:many|data:a:b|images:-1")
    assert score.counts == {"words": 12, "lines": 3, "unknown": 0}
    assert Score("wer", 1.0, False, "").counts == {}
