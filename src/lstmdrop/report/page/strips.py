"""Labels of frames as strips above each other: where one is wrong is seen, and no edit could say."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby, zip_longest


def strips_html(predicted: Sequence[str], expected: Sequence[str] = ()) -> str:
    """One strip of what was predicted, below that of what there was where it is known, each frame as wide.

    Frames that follow each other with the same label, all right or all wrong, are one piece.
    """
    rights = [not expected or ours == theirs for ours, theirs in zip_longest(predicted, expected)]
    percent = 100 * sum(rights) / max(1, len(rights))
    told = f"{len(predicted)} frames, {percent:.1f}% right" if expected else f"{len(predicted)} frames"
    rows = [_strip("reference", expected, [True] * len(expected))] if expected else []
    rows.append(_strip("model", predicted, rights[: len(predicted)]))
    width = max(len(predicted), len(expected))
    return (
        f'<p class="key">{told}</p><div class="wide" tabindex="0" role="region" aria-label="labels of frames">'
        f'<div class="strips" style="--frames:{width}">{"".join(rows)}</div></div>'
    )


_WIDEST = 1.6  # frames that a character of a label takes; a label that does not fit is said by pointing at it


def _piece(label: str, is_right: bool, length: int) -> str:
    text = escape(label) if length >= _WIDEST * len(label) else ""
    return f'<i{"" if is_right else " class=off"} style="--n:{length}" title="{escape(label)}, {length}">{text}</i>'


def _strip(name: str, labels: Sequence[str], rights: Sequence[bool]) -> str:
    pairs = zip(labels, rights, strict=True)
    runs = [(label, is_right, len(list(run))) for (label, is_right), run in groupby(pairs)]
    words = " ".join(label for label, _ in groupby(labels))
    pieces = "".join(_piece(*run) for run in runs)
    return (
        f'<span class="label">{name}</span>'
        f'<div class="strip" role="img" aria-label="{name}: {escape(words)}">{pieces}</div>'
    )
