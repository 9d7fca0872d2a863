"""Examples as HTML: errors marked, attention drawn, pictures inlined."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from html import escape

from lstmdrop.report.page.data import as_script
from lstmdrop.report.page.example import Example
from lstmdrop.report.page.marking import Mark, align

LARGEST_IMAGE = 200_000
"""Bytes of a picture that is inlined; a larger one is named, and so is what is no picture, such as features."""


def examples_html(name: str, examples: Sequence[Example]) -> str:
    """What one run made of some inputs, folded under its name."""
    items = "".join(_item(example) for example in examples)
    return f"<details><summary>{escape(name)}</summary><ol class='examples'>{items}</ol></details>"


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
