"""What models made of single inputs, for a reader to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from typing_extensions import NotRequired, TypedDict

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


class _Hypothesis(TypedDict, total=False):
    tokens: list[str] | None
    attention: list[list[float]] | None


class _Output(TypedDict):
    text: str
    source: NotRequired[str]
    prompt: NotRequired[str]
    references: NotRequired[list[str]]
    image: NotRequired[str | None]
    source_tokens: NotRequired[list[str] | None]
    hypotheses: NotRequired[Annotated[list[_Hypothesis], Field(min_length=1)]]


_OUTPUT = TypeAdapter(_Output)


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
            examples.append(_example(_OUTPUT.validate_json(line, strict=True)))
        except ValueError:
            raise DataError(f"{path}, line {number}: not what 'lstmdrop predict --json' prints") from None
    return examples


def _example(output: _Output) -> Example:
    image = output.get("image")
    best = output.get("hypotheses", [_Hypothesis()])[0]
    return Example(
        text=output["text"],
        source=output.get("source", ""),
        prompt=output.get("prompt", ""),
        references=tuple(output.get("references", ())),
        image=Path(image) if image else None,
        attention=_attention(output.get("source_tokens"), best.get("tokens"), best.get("attention")),
    )


def _attention(
    source: Sequence[str] | None, target: Sequence[str] | None, rows: Sequence[Sequence[float]] | None
) -> Attention | None:
    if not rows or not source or not target:
        return None
    weights = tuple(tuple(row[: len(source)]) for row in rows[: len(target)])
    if not all(map(math.isfinite, chain.from_iterable(weights))):
        raise ValueError("a weight is not finite")
    return Attention(tuple(source), tuple(target), weights)


def from_predictions(lines: Sequence[str], items: Sequence[Any], limit: int) -> list[Example]:
    """The first predicted lines, beside what they were made from where ``items`` (`ScoredItem`) say it."""
    if not items:
        return [Example(line) for line in lines[:limit]]
    pairs = zip(lines[:limit], items[:limit], strict=True)
    return [Example(line, item.source, "", tuple(item.references), item.image) for line, item in pairs]
