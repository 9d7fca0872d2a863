"""Training and validation scores epoch by epoch, read from the logs of runs, and the gap between the two."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from typing_extensions import NotRequired, TypedDict

from lstmdrop.errors import DataError
from lstmdrop.metrics.score import perplexity_of
from lstmdrop.parsing import document_lines
from lstmdrop.report.runs import Gap, Number, RunSummary


class _Value(TypedDict):
    name: str
    value: Number


class _Evaluated(TypedDict):
    epoch: int
    split: str
    training_loss: Number
    scores: list[_Value]
    is_best: NotRequired[bool]


_EVENT = TypeAdapter(dict[str, Any])
_EVALUATED = TypeAdapter(_Evaluated)


@dataclass(frozen=True, slots=True)
class Curves:
    """A score after each epoch; NaN where an epoch has none."""

    name: str
    epochs: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]
    metric: str = "perplexity"
    with_dropout: bool = True
    """Whether dropout was on for the training values, as it is while an epoch runs."""
    best_epoch: int | None = None
    """The epoch whose weights were kept."""


@dataclass(slots=True)
class _Epoch:
    """What the log says of one epoch."""

    training_loss: float
    training: dict[str, float]
    validation: dict[str, float]
    is_best: bool


def read_curves(directory: Path) -> Curves:
    """Scores on the training and validation splits, epoch by epoch, from the log of a run.

    The metric is the first that is known of both splits: one that the log gives for the split ``train`` too, else
    perplexity or a loss, whose training values are those of the epoch, dropout on. A run that has none of these
    shows its first score on the validation split alone.

    Raises:
        DataError: there is no log, a line of it is damaged, or no epoch has a validation score.
    """
    path = directory / "log.jsonl"
    epochs: dict[int, _Epoch] = {}
    for number, event in _events(path):
        try:
            if event["event"] == "evaluated":
                _note(epochs, _EVALUATED.validate_python(event, strict=True))
        except (KeyError, ValidationError):
            raise DataError(f"{path}, line {number}: not an event that a run logs") from None
    epochs = {number: epoch for number, epoch in epochs.items() if epoch.validation}
    if not epochs:
        raise DataError(f"{path}: no epoch with a validation score yet")
    return _curves(directory.resolve().name, epochs)


def _events(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line by line: a log may be long."""
    try:
        for number, line in enumerate(document_lines(path), start=1):
            try:
                event = _EVENT.validate_json(line)
            except ValidationError:
                if not line.endswith("\n"):
                    return  # the run is writing this last line, or was killed while it did
                raise DataError(f"{path}, line {number}: not an event that a run logs") from None
            yield number, event
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _note(epochs: dict[int, _Epoch], event: _Evaluated) -> None:
    epoch = epochs.setdefault(event["epoch"], _Epoch(event["training_loss"], {}, {}, False))
    scores = {score["name"]: score["value"] for score in event["scores"]}
    if event["split"] == "train":
        epoch.training |= scores
    elif event["split"] == "valid":
        epoch.validation |= scores
        epoch.is_best = event.get("is_best", False)


def _curves(name: str, epochs: Mapping[int, _Epoch]) -> Curves:
    metrics = list(next(iter(epochs.values())).validation)
    scored = [metric for metric in metrics if all(metric in epoch.training for epoch in epochs.values())]
    derived = [metric for metric in metrics if _from_loss(metric, 0.0) is not None]
    metric = (scored or derived or metrics)[0]
    losses = (_from_loss(metric, epoch.training_loss) for epoch in epochs.values())
    training = [epoch.training[metric] for epoch in epochs.values()] if scored else losses
    return Curves(
        name=name,
        epochs=tuple(epochs),
        training=tuple(math.nan if value is None else value for value in training),
        validation=tuple(epoch.validation.get(metric, math.nan) for epoch in epochs.values()),
        metric=metric,
        with_dropout=not scored,
        best_epoch=max((number for number, epoch in epochs.items() if epoch.is_best), default=None),
    )


def _from_loss(metric: str, loss: float) -> float | None:
    """The mean negative log-likelihood in nats as a score of that name, None where it is no such score.

    A loss below 0 is another quantity, such as the negative reward of self-critical training.
    """
    if metric.endswith("loss"):
        return loss
    return perplexity_of(loss) if metric == "perplexity" and loss >= 0 else None


def generalisation_gap(run: RunSummary, curves: Curves | None) -> Gap | None:
    """Training minus validation: of the final scores where the training split has one, else at the epoch kept."""
    for entry in run.scores:
        training = run.score("train", entry.score.name)
        if entry.split == "valid" and training:
            return Gap(entry.score.name, training.value, entry.score.value, with_dropout=False)
    return _at_best_epoch(curves) if curves else None


def require_own_log(run: RunSummary, curves: Curves) -> None:
    """Make sure that the best epoch of a log is the one whose weights a result scored.

    Raises:
        DataError: their scores on the validation split lie apart by more than a hundredth.
    """
    kept = run.score("valid", curves.metric)
    logged = dict(zip(curves.epochs, curves.validation, strict=True)).get(curves.best_epoch or 0)
    if kept is None or logged is None or not (math.isfinite(logged) and math.isfinite(kept.value)):
        return
    if not math.isclose(logged, kept.value, rel_tol=0.01, abs_tol=0.01):
        raise DataError(
            f"{run.directory}: log.jsonl has valid {curves.metric} {logged:.4g} at its best epoch, and result.json "
            f"{kept.value:.4g}: one of them is of another run"
        )


def _at_best_epoch(curves: Curves) -> Gap | None:
    best = curves.best_epoch or curves.epochs[-1]
    index = curves.epochs.index(best)
    training, validation = curves.training[index], curves.validation[index]
    if math.isnan(training) or math.isnan(validation):
        return None
    return Gap(curves.metric, training, validation, curves.with_dropout)
