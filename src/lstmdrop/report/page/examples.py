"""Examples of what runs made, as HTML: errors marked, attention drawn, pictures inlined."""

from __future__ import annotations

import base64
import math
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter
from typing_extensions import NotRequired, TypedDict

from lstmdrop.errors import DataError
from lstmdrop.parsing import document_lines
from lstmdrop.report.page.data import as_script
from lstmdrop.report.page.strips import strips_html


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
    is_framewise: bool = False
    """Whether text and reference are a name and then one label for each frame."""


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
        lines = list(islice((line for line in document_lines(path) if line.strip()), limit))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    examples = []
    for number, line in enumerate(lines, start=1):
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


Kind = Literal["right", "wrong", "extra", "missing"]


class Mark(NamedTuple):
    """One word of an alignment."""

    kind: Kind
    predicted: str
    """Empty where a word is missing."""
    expected: str
    """Empty where a word is extra."""


def align(predicted: Sequence[str], expected: Sequence[str]) -> list[Mark]:
    """The alignment with the fewest edits (Levenshtein 1966), as word error rate counts them."""
    costs = _costs(predicted, expected)
    marks: list[Mark] = []
    row, column = len(predicted), len(expected)
    while row or column:
        if (
            row
            and column
            and costs[row][column] == costs[row - 1][column - 1] + (predicted[row - 1] != expected[column - 1])
        ):
            row, column = row - 1, column - 1
            kind: Kind = "right" if predicted[row] == expected[column] else "wrong"
            marks.append(Mark(kind, predicted[row], expected[column]))
        elif row and costs[row][column] == costs[row - 1][column] + 1:
            row -= 1
            marks.append(Mark("extra", predicted[row], ""))
        else:
            column -= 1
            marks.append(Mark("missing", "", expected[column]))
    return marks[::-1]


def _costs(predicted: Sequence[str], expected: Sequence[str]) -> list[list[int]]:
    costs = [list(range(len(expected) + 1))]
    for number, word in enumerate(predicted, start=1):
        above, row = costs[-1], [number]
        for column, other in enumerate(expected):
            row.append(min(above[column] + (word != other), above[column + 1] + 1, row[-1] + 1))
        costs.append(row)
    return costs


LARGEST_IMAGE = 200_000
"""Bytes of a picture that is inlined; a larger one is named, and so is what is no picture, such as features."""


def examples_html(name: str, examples: Sequence[Example]) -> str:
    """What one run made of some inputs, folded under its name."""
    items = "".join(_strips(example) if example.is_framewise else _item(example) for example in examples)
    return f"<details><summary>{escape(name)}</summary><ol class='examples'>{items}</ol></details>"


def _strips(example: Example) -> str:
    name, *predicted = example.text.split() or [""]
    expected = example.references[0].split()[1:] if example.references else []
    return f"<li><p>{escape(name)}</p>{strips_html(predicted, expected)}</li>"


def _item(example: Example) -> str:
    parts = [
        _image(example),
        _line("prompt", escape(example.prompt)) if example.prompt else "",
        _line("source", escape(example.source)) if example.source else "",
        *(_line("reference", escape(reference)) for reference in example.references),
        _line("model", _marked(example)),
        _attention_table(example),
    ]
    return f"<li>{''.join(parts)}</li>"


def _line(label: str, content: str) -> str:
    return f'<p><span class="label">{label}</span> <span class="{label}">{content}</span></p>'


def _marked(example: Example) -> str:
    """With one reference word by word, else the text as it is: several have no single right word."""
    if len(example.references) != 1:
        return escape(example.text) or "<em>nothing</em>"
    marks = align(example.text.split(), example.references[0].split())
    return " ".join(map(_mark, marks)) or "<em>nothing</em>"


def _mark(mark: Mark) -> str:
    if mark.kind == "right":
        return escape(mark.predicted)
    if mark.kind == "wrong":
        return f'<mark title="in place of: {escape(mark.expected)}">{escape(mark.predicted)}</mark>'
    if mark.kind == "extra":
        return f'<ins title="not in the reference">{escape(mark.predicted)}</ins>'
    return f'<del title="missing">{escape(mark.expected)}</del>'


def _image(example: Example) -> str:
    if example.image is None:
        return ""
    name = escape(example.image.name)
    kind = mimetypes.guess_type(example.image.name, strict=False)[0] or ""
    is_picture = kind.startswith("image/") and example.image.is_file()
    if not is_picture or example.image.stat().st_size > LARGEST_IMAGE:
        return _line("image", name)
    data = base64.b64encode(example.image.read_bytes()).decode("ascii")
    return f'<img alt="test image {name}" loading="lazy" src="data:{kind};base64,{data}">'


def _attention_table(example: Example) -> str:
    attention = example.attention
    if attention is None:
        return ""
    content = {
        "source": attention.source,
        "target": attention.target,
        "weights": [[round(weight, 3) for weight in row] for row in attention.weights],
    }
    return (
        "<details class='attention'><summary>attention</summary>"
        f'<script type="application/json">{as_script(content)}</script><div class="chart"></div></details>'
    )
