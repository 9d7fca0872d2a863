"""Perplexity epoch by epoch, read from the logs of runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lstmdrop.errors import DataError

_EVENT = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Curves:
    """Perplexity after each epoch, the training one with dropout on."""

    name: str
    epochs: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]


def read_curves(directory: Path) -> Curves:
    """Perplexity on the training and validation splits, epoch by epoch, from the log of a run.

    Raises:
        DataError: there is no log, a line of it is damaged, or no epoch has a validation perplexity.
    """
    path = directory / "log.jsonl"
    points: dict[int, tuple[float, float]] = {}
    for number, event in _events(path):
        try:
            points |= _point(event)
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path}, line {number}: not an event that a run logs") from None
    if not points:
        raise DataError(f"{path}: no epoch with a validation perplexity yet")
    training, validation = (tuple(values) for values in zip(*points.values(), strict=True))
    return Curves(directory.resolve().name, tuple(points), training, validation)


def _events(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            yield number, _EVENT.validate_json(line)
        except ValidationError:
            if number == len(lines) and not text.endswith("\n"):
                return  # the run is writing this line, or was killed while it did
            raise DataError(f"{path}, line {number}: not an event that a run logs") from None


def _point(event: Mapping[str, Any]) -> dict[int, tuple[float, float]]:
    if event["event"] != "evaluated" or event["split"] != "valid":
        return {}
    values = [float(score["value"]) for score in event["scores"] if score["name"] == "perplexity"]
    return {int(event["epoch"]): (_perplexity(float(event["training_loss"])), values[0])} if values else {}


def _perplexity(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
