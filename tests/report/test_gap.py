from __future__ import annotations

from pathlib import Path

from lstmdrop.metrics.score import Score
from lstmdrop.report.curves import Curves, generalisation_gap
from lstmdrop.report.runs import Gap, RunSummary, SplitScore


def run(**values: float) -> RunSummary:
    scores = tuple(SplitScore(split, Score("frame_accuracy", value, True, "")) for split, value in values.items())
    return RunSummary(Path("a"), "asr", "an4", "small", "none", 1, scores)


def test_final_scores_of_both_splits_come_first() -> None:
    curves = Curves("a", (1,), (1.0,), (2.0,))
    assert generalisation_gap(run(valid=68.9, test=68.0, train=71.6), curves) == Gap(
        "frame_accuracy", 71.6, 68.9, False
    )


def test_else_it_is_that_of_the_epoch_whose_weights_were_kept() -> None:
    curves = Curves("a", (1, 2, 3), (90.0, 60.0, 40.0), (120.0, 100.0, 130.0), best_epoch=2)
    gap = generalisation_gap(run(valid=1.0), curves)
    assert gap == Gap("perplexity", 60.0, 100.0, with_dropout=True)
    assert gap.value == -40.0


def test_a_run_without_training_scores_has_none() -> None:
    assert generalisation_gap(run(valid=1.0), None) is None
    assert generalisation_gap(run(valid=1.0), Curves("a", (1,), (float("nan"),), (2.0,), metric="wer")) is None
