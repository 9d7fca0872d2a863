"""Means and intervals as HTML: a list that can be read without its lines, drawn by the style sheet alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from lstmdrop.report.forest import Forest, ForestRow
from lstmdrop.report.plots import even_ticks

MOST_NUMBERS = 5
"""On an axis, which may be as narrow as a phone; lines may stand closer."""


def forest_html(forest: Forest, attributes: Sequence[str] = (), extras: Sequence[str] = ()) -> str:
    """A forest plot; ``attributes`` and ``extras`` are HTML for the element of each row, and for its end."""
    if not forest.rows:
        return ""
    scale = _Scale(forest)
    padding = [""] * len(forest.rows)
    items = zip(forest.rows, attributes or padding, extras or padding, strict=True)
    blocks = "".join(
        f"{f'<h3>{escape(heading)}</h3>' if heading else ''}<ul>{''.join(_item(*item, scale) for item in rows)}</ul>"
        for heading, rows in groupby(items, key=lambda item: item[0].heading)
    )
    return f'<div class="forest" style="--grid:{scale.grid()}">{blocks}{scale.axis()}</div>'


class _Scale:
    """Where values stand, in per cent of the width."""

    def __init__(self, forest: Forest) -> None:
        self.low, self.high = forest.limits
        self.reference, self.label = forest.reference, forest.axis
        self.ticks = even_ticks(self.low, self.high)

    def place(self, value: float) -> float:
        """From 0 to 100, whatever is outside at the end that is nearer."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 2)

    def grid(self) -> str:
        """A thin line at each tick, as backgrounds; the one to compare with is stronger."""
        return ",".join(_line(self.place(tick), "zero" if tick == self.reference else "rule") for tick in self.ticks)

    def axis(self) -> str:
        """The numbers below the lines, and what they are."""
        step = math.ceil(len(self.ticks) / MOST_NUMBERS)
        start = self.ticks.index(self.reference) % step if self.reference in self.ticks else 0
        marks = "".join(f'<span style="left:{self.place(tick)}%">{tick:g}</span>' for tick in self.ticks[start::step])
        return f'<div class="axis"><div aria-hidden="true">{marks}</div><p>{escape(self.label)}</p></div>'


def _line(place: float, color: str) -> str:
    before, after = f"calc({place}% - .5px)", f"calc({place}% + .5px)"
    ink = f"var(--{color})"
    return f"linear-gradient(90deg,transparent {before},{ink} {before} {after},transparent {after})"


def _item(row: ForestRow, attributes: str, extra: str, scale: _Scale) -> str:
    context = f" <span>{escape(row.context)}</span>" if row.context else ""
    details = f" <span>{escape(row.details)}</span>" if row.details else ""
    return (
        f'<li class="{" ".join(_kinds(row, scale))}"{attributes}>'
        f'<span class="who"><b>{escape(row.label)}</b>{context}</span>'
        f'<span class="plot" aria-hidden="true">{_drawn(row, scale)}</span>'
        f'<span class="said"><b>{escape(row.said)}</b>{details}</span>{extra}</li>'
    )


def _kinds(row: ForestRow, scale: _Scale) -> Iterator[str]:
    reference = scale.reference
    yield "row"
    if row.low is None or row.high is None:
        yield "single"
    elif reference is not None and row.low <= reference <= row.high:
        yield "unclear"
    if reference is not None:
        yield "better" if row.mean >= reference else "worse"


def _drawn(row: ForestRow, scale: _Scale) -> str:
    if not math.isfinite(row.mean):
        return ""
    bar = ""
    if row.low is not None and row.high is not None:
        low, high = scale.place(row.low), scale.place(row.high)
        cut = [side for side, is_cut in (("left", row.low < scale.low), ("right", row.high > scale.high)) if is_cut]
        classes = " ".join(["bar", *(f"cut-{side}" for side in cut)])
        bar = f'<i class="{classes}" style="left:{low}%;right:{round(100 - high, 2)}%"></i>'
    seeds = "".join(
        f'<i class="seed" style="left:{scale.place(value)}%"></i>' for value in row.values if math.isfinite(value)
    )
    return f'{bar}{seeds}<i class="mean" style="left:{scale.place(row.mean)}%"></i>'
