"""The generalisation gap of a run."""

from __future__ import annotations

import math

from lstmdrop.report.curves import Curves
from lstmdrop.report.summary import Gap, RunSummary


def generalisation_gap(run: RunSummary, curves: Curves | None) -> Gap | None:
    """Training minus validation: of the final scores where the training split has one, else at the epoch kept."""
    for entry in run.scores:
        training = run.score("train", entry.score.name)
        if entry.split == "valid" and training:
            return Gap(entry.score.name, training.value, entry.score.value, with_dropout=False)
    return _at_best_epoch(curves) if curves else None


def _at_best_epoch(curves: Curves) -> Gap | None:
    best = curves.best_epoch or curves.epochs[-1]
    index = curves.epochs.index(best)
    training, validation = curves.training[index], curves.validation[index]
    if math.isnan(training) or math.isnan(validation):
        return None
    return Gap(curves.metric, training, validation, curves.with_dropout)
