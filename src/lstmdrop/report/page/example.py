"""What models made of single inputs, for a reader to look at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from lstmdrop.errors import DataError


@dataclass(frozen=True, slots=True)
class Attention:
    """Where a decoder looked: one row of weights a target token."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One input and what came of it; what is not known is empty."""

    text: str
    source: str = ""
    prompt: str = ""
    references: tuple[str, ...] = ()
    image: Path | None = None
    attention: Attention | None = None


def read_examples(directory: Path, limit: int) -> list[Example]:
    """The first lines of ``examples.jsonl``, each as ``lstmdrop predict --json`` prints it; none without the file.

    Raises:
        DataError: it cannot be read, or a line of it is no such object.
    """
    path = directory / "examples.jsonl"
    if not path.exists():
        return []
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    examples = []
    for number, line in enumerate(lines[:limit], start=1):
        try:
            examples.append(_example(json.loads(line)))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise DataError(f"{path}, line {number}: not what 'lstmdrop predict --json' prints") from None
    return examples


def _example(values: Mapping[str, Any]) -> Example:
    image = values.get("image")
    return Example(
        text=str(values["text"]),
        source=str(values.get("source", "")),
        prompt=str(values.get("prompt", "")),
        references=tuple(map(str, values.get("references", ()))),
        image=Path(image) if image else None,
        attention=_attention(values, values.get("hypotheses", [{}])[0]),
    )


def _attention(values: Mapping[str, Any], best: Mapping[str, Any]) -> Attention | None:
    rows, source, target = best.get("attention"), values.get("source_tokens"), best.get("tokens")
    if not rows or not source or not target:
        return None
    weights = tuple(tuple(float(weight) for weight in row[: len(source)]) for row in rows[: len(target)])
    if not all(map(math.isfinite, chain.from_iterable(weights))):
        raise ValueError("a weight is not finite")
    return Attention(tuple(map(str, source)), tuple(map(str, target)), weights)


def from_predictions(lines: Sequence[str], items: Sequence[Any], limit: int) -> list[Example]:
    """The first predicted lines, beside what they were made from where ``items`` (`ScoredItem`) say it."""
    if not items:
        return [Example(line) for line in lines[:limit]]
    pairs = zip(lines[:limit], items[:limit], strict=True)
    return [Example(line, item.source, "", tuple(item.references), item.image) for line, item in pairs]
