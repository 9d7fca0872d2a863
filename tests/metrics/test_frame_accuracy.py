"""Laws of frame accuracy."""

from __future__ import annotations

import pytest

from lstmdrop.metrics.word_error_rate import frame_accuracy_score


def test_it_is_a_percentage_with_its_counts() -> None:
    score = frame_accuracy_score(3, 4, {"classes": "43"})
    assert (score.name, score.value, score.higher_is_better) == ("frame_accuracy", 75.0, True)
    assert score.signature.startswith("frames:4|classes:43|version:")


@pytest.mark.parametrize(("correct", "frames"), [(0, 0), (5, 4), (-1, 4)])
def test_counts_that_cannot_be_are_refused(correct: int, frames: int) -> None:
    with pytest.raises(ValueError, match="cannot be right"):
        frame_accuracy_score(correct, frames, {})
