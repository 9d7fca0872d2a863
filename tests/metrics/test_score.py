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
