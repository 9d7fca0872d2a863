"""Curves on the screen: the only file that draws with plotext."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lstmdrop.errors import UsageError
from lstmdrop.report.curves import Curves
from lstmdrop.report.plots import perplexity_ticks

# Training and validation of each run, told apart without colour too
_MARKERS = (".o", "-x", ":#", "'@", ",%")
_COLORS = ("blue", "red", "green", "magenta", "cyan")


def curves(title: str, series: Sequence[Curves], *, width: int = 80, height: int = 16, color: bool = False) -> str:
    """Perplexity by epoch as text; each curve has a character of its own, so that colour is not needed.

    ``width`` and ``height`` are those of the plot in characters; the title and a line per curve come on top.

    Raises:
        UsageError: there are no runs, or more than there are characters to tell them apart.
    """
    if not 1 <= len(series) <= len(_MARKERS):
        raise UsageError(f"{len(series)} runs with curves: a plot shows 1 to {len(_MARKERS)}; name the runs to draw")
    looks = zip(series, _MARKERS, _COLORS, strict=False)
    lines = [line for run, markers, ink in looks for line in _lines(run, markers, ink)]
    if not lines:
        return f"{title}: no finite perplexity to draw"
    plot = _plot(lines, width, height).string(colorless=not color).rstrip("\n")
    legend = [f"  {line.marker} {line.label}" for line in lines]
    hidden = ["  Where curves meet, the last named is seen."] if len(lines) > 1 else []
    return "\n".join((title, plot, *legend, *hidden))


@dataclass(frozen=True, slots=True)
class _Line:
    """The points of one curve that can be drawn, at least one."""

    label: str
    marker: str
    color: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]


def _lines(run: Curves, markers: str, color: str) -> Iterator[_Line]:
    kinds = (("training, dropout on", run.training), ("validation", run.validation))
    for (kind, values), marker in zip(kinds, markers, strict=True):
        points = [point for point in zip(run.epochs, values, strict=True) if 0 < point[1] < math.inf]
        if points:
            best, epoch = min((value, epoch) for epoch, value in points)
            label = f"{run.name}, {kind}: lowest {best:.2f}, epoch {epoch}"
            yield _Line(label, marker, color, *zip(*points, strict=True))


def _plot(lines: Sequence[_Line], width: int, height: int) -> Any:
    import plotext

    plotext.terminal.limit(False, False)  # plotext cuts the figure to the terminal's size otherwise
    figure = plotext.figure.clear()
    figure.theme("colorless").plot_size(width, height)
    for line in lines:
        marker = plotext.marker(line.marker, line.color)
        figure.draw(figure.signal(line.epochs, [math.log(value) for value in line.values], marker=marker).lines())
    values = [value for line in lines for value in line.values]
    ticks = perplexity_ticks(min(values), max(values))
    figure.ruler("y").ticks([math.log(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
    epochs = [epoch for line in lines for epoch in line.epochs]
    whole = _whole_ticks(min(epochs), max(epochs))
    figure.ruler("x").ticks(whole, [str(tick) for tick in whole])
    figure.label("epoch (perplexity on a log scale)")
    return figure.build()


def _whole_ticks(first: int, last: int) -> list[int]:
    step = next(
        step * 10**power for power in range(18) for step in (1, 2, 5) if (last - first) // (step * 10**power) < 10
    )
    inner = (tick for tick in range(0, last, step) if tick > first and last - tick >= step / 2)
    return sorted({first, *inner, last})
