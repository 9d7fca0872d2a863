"""Power laws through measured points, fitted and drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmdrop.report.plots import COLORS, require_matplotlib, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Points(NamedTuple):
    """What was measured at which size; all are above 0."""

    sizes: Sequence[float]
    measured: Sequence[float]


class PowerLine(NamedTuple):
    """A quantity of a panel, beside the power of what was counted."""

    name: str
    points: Points
    expected: float
    """The exponent that the arithmetic has."""


class Panel(NamedTuple):
    """One size that grew."""

    title: str
    lines: Sequence[PowerLine]


def fitted_power(points: Points) -> tuple[float, float]:
    """The exponent of the power law through the points, by least squares of the logarithms, and its standard error.

    Raises:
        ValueError: there are fewer than three points, or all have one size.
    """
    x, y = (np.log(np.maximum(np.asarray(values, np.float64), 1e-300)) for values in points)
    if len(x) < 3 or np.ptp(x) == 0:
        raise ValueError("a power law is fitted through three points or more, of different sizes")
    x, y = x - x.mean(), y - y.mean()
    square = float((x * x).sum())
    slope = float((x * y).sum()) / square
    left = float(((y - slope * x) ** 2).sum())
    return slope, math.sqrt(left / (len(x) - 2) / square)


COLUMNS = 3


def growth_figure(panels: Sequence[Panel]) -> str:
    """Each panel's quantities as multiples of their value at its smallest size, on logarithmic scales, as SVG.

    Points and a solid line are measured; dashed is the power that is expected.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "lstmdrop", "svg.fonttype": "path", "font.size": 9}):
        rows = -(-len(panels) // COLUMNS)
        figure = Figure(figsize=(10.5, 3.1 * rows + 0.4), layout="constrained", facecolor="white")
        grid = figure.subplots(rows, min(COLUMNS, len(panels)), squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        figure.suptitle(
            "How a training step grows: measured (points, solid) and expected (dashed), as multiples of the smallest",
            x=0.01, ha="left", fontsize=10,
        )  # fmt: skip
        return svg_text(figure)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    for line, color in zip(panel.lines, COLORS, strict=False):
        sizes, base = line.points.sizes, line.points.measured[0]
        values = [value / base for value in line.points.measured]
        exponent, error = fitted_power(line.points)
        label = f"{line.name}: {exponent:.2f} ± {error:.2f}, expected {line.expected:.2f}"
        axes.plot(sizes, values, "o-", color=color, markersize=4, linewidth=1.6, label=label)
        axes.plot(sizes, [(size / sizes[0]) ** line.expected for size in sizes], "--", color=color, linewidth=1.0)
    axes.set_title(panel.title, loc="left")
    sizes = panel.lines[0].points.sizes
    axes.xaxis.set_major_locator(FixedLocator([float(size) for size in sizes]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator(_powers(*axes.get_ylim())))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, fontsize=8, handlelength=1.2)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten within the range, or of two where that holds few."""
    base = 10.0 if math.log10(high / low) > 2 else 2.0
    first, last = math.ceil(math.log(low, base)), math.floor(math.log(high, base))
    return [base**power for power in range(first, last + 1)]


def _short(value: float) -> str:
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * unit or (value >= unit and value % unit == 0):
            return f"{value / unit:g}{letter}"
    return f"{value:g}"
