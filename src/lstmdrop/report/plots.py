"""Figures for papers and pages, drawn with the optional matplotlib."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstmdrop.errors import DataError, UsageError, loading
from lstmdrop.report.curves import Curves
from lstmdrop.report.forest import Forest, ForestRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart, without the ones too pale on white
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))  # round numbers of a decade
_LONGEST_NAME = 32  # characters; more would squeeze the axes, and the end of a run's name tells most
_LABEL_GAP = 0.045  # of the height of the axes: one line of text


def overfitting_figure(runs: Sequence[Curves]) -> str:
    """Training (dashed) and validation (solid) perplexity by epoch as SVG, shaded where it overfits.

    The same runs give the same bytes under the same matplotlib.

    Raises:
        MissingPartError: matplotlib is not installed.
        UsageError: there are no runs, or more than there are colours.
        DataError: no run has an epoch with finite perplexities.
    """
    if not 1 <= len(runs) <= len(COLORS):
        raise UsageError(f"{len(runs)} runs with curves: a figure shows 1 to {len(COLORS)}; name the runs to draw")
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    if not any(_is_drawn(point) for run in runs for point in zip(run.training, run.validation, strict=True)):
        raise DataError("no run has an epoch with finite perplexities")
    with mpl.rc_context({"svg.hashsalt": "lstmdrop", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained", facecolor="white")
        _draw(figure, runs)
        return svg_text(figure)


def svg_text(figure: Figure) -> str:
    """The same bytes for the same figure under the same matplotlib."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "lstmdrop"})
    return text.getvalue()


def require_matplotlib() -> None:
    """Make sure that there is matplotlib, without a word about where it keeps its own cache.

    Raises:
        MissingPartError: it is not installed.
    """
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with loading("figures need matplotlib", "pip install 'lstmdrop[plots]'"):
            import matplotlib.figure  # noqa: F401
    finally:
        log.setLevel(level)


def _draw(figure: Figure, runs: Sequence[Curves]) -> None:
    axes = figure.add_subplot()
    for run, color in zip(runs, COLORS, strict=False):
        _draw_run(axes, run, color)
    axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="perplexity (log scale)")
    axes.set_title("Training perplexity, dropout on (dashed); validation perplexity (solid)", loc="left")
    _draw_ticks(axes)
    _draw_labels(axes, runs)


def _draw_run(axes: Axes, run: Curves, color: str) -> None:
    finite = [point for point in zip(run.epochs, run.training, run.validation, strict=True) if _is_drawn(point)]
    epochs, training, validation = zip(*finite, strict=True) if finite else ((), (), ())
    is_overfit = [low < high for low, high in zip(training, validation, strict=True)]
    gap = axes.fill_between(epochs, training, validation, where=is_overfit, interpolate=True)
    gap.set(facecolor=color, alpha=0.1, linewidth=0)
    marker = "o" if len(finite) == 1 else ""
    axes.plot(epochs, training, color=color, linestyle="--", marker=marker, linewidth=1.4, fillstyle="none")
    axes.plot(epochs, validation, color=color, linestyle="-", marker=marker, linewidth=1.8)


def perplexity_ticks(low: float, high: float) -> list[float]:
    """At least four round values from ``low`` to ``high``: spread for a log scale, evenly where few such fit."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _STEPS:
        values = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(values) >= 4:
            return values
    return even_ticks(low, high) if high > low else [low]


def even_ticks(low: float, high: float) -> list[float]:
    """At least four round values from ``low`` to ``high``, which is above it, evenly spread."""
    largest = math.floor(math.log10(high - low))
    sizes = (digit * 10.0**power for power in range(largest, largest - 3, -1) for digit in (5, 2, 1))
    # A range holds four multiples of anything shorter than a quarter of it
    return next(
        ticks
        for size in sizes
        if len(ticks := [n * size for n in range(math.ceil(low / size), math.floor(high / size) + 1)]) >= 4
    )


def _draw_ticks(axes: Axes) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(FixedLocator(perplexity_ticks(*axes.get_ylim())))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_labels(axes: Axes, runs: Sequence[Curves]) -> None:
    """Name each curve beside its end, so that no legend has to be matched by colour."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    ends = sorted(
        (values[-1], run.epochs[-1], f"{_short(run.name)}, {label}", color)
        for run, color in zip(runs, COLORS, strict=False)
        for label, values in (("validation", run.validation), ("training", run.training))
        if _is_drawn(values[-1:])
    )
    heights = spread_labels([(math.log(value) - low) / (high - low) for value, *_ in ends])
    for (value, epoch, label, color), height in zip(ends, heights, strict=True):
        axes.annotate(
            label,
            (epoch, value),
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "alpha": 0.6},
        )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def spread_labels(heights: Sequence[float]) -> list[float]:
    """Sorted heights in axes, from 0 to 1, pushed apart by a line of text: upwards, then down from the top."""
    spread: list[float] = []
    for height in heights:
        spread.append(max(height, spread[-1] + _LABEL_GAP) if spread else height)
    limit = 1.0
    for index in reversed(range(len(spread))):
        spread[index] = min(spread[index], limit)
        limit = spread[index] - _LABEL_GAP
    return spread


def _is_drawn(values: Sequence[float]) -> bool:
    return all(math.isfinite(value) and value > 0 for value in values)


def forest_figure(forest: Forest) -> str:
    """Means and 95% intervals under each other, as SVG: a filled point where the interval leaves out the reference.

    Raises:
        MissingPartError: matplotlib is not installed.
        DataError: there are no rows.
    """
    if not forest.rows:
        raise DataError(f"{forest.title}: there is nothing to draw")
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "lstmdrop", "svg.fonttype": "path", "font.size": 9}):
        places = forest_places(forest.rows)
        figure = Figure(figsize=(10.5, 1.0 + 0.26 * (places[-1] + 1)), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        for row, place in zip(forest.rows, places, strict=True):
            _draw_interval(axes, row, place, forest.reference)
        _label_rows(axes, forest, places)
        return svg_text(figure)


def forest_places(rows: Sequence[ForestRow]) -> list[int]:
    """The line of each row, from 0 at the top; a heading takes a line of its own."""
    places: list[int] = []
    heading = ""
    for row in rows:
        place = places[-1] + 1 if places else 0
        places.append(place + (row.heading != heading))
        heading = row.heading
    return places


def _draw_interval(axes: Axes, row: ForestRow, place: int, reference: float | None) -> None:
    is_clear = row.low is not None and row.high is not None and not row.low <= (reference or 0.0) <= row.high
    color = COLORS[1] if reference is not None and row.mean < reference else COLORS[0]
    if row.low is not None and row.high is not None:
        axes.plot((row.low, row.high), (place, place), color=color, linewidth=2, alpha=0.6, solid_capstyle="butt")
    axes.plot(row.values, [place] * len(row.values), "o", color=color, markersize=3, alpha=0.5)
    axes.plot(row.mean, place, "o", color=color, markersize=6, markerfacecolor=color if is_clear else "white")


def _label_rows(axes: Axes, forest: Forest, places: Sequence[int]) -> None:
    headings = {place - 1: row.heading for row, place in zip(forest.rows, places, strict=True) if row.heading}
    headings = {line: text for line, text in headings.items() if line not in places}
    labels = [", ".join(filter(None, (row.context, row.label))) for row in forest.rows]
    axes.set_yticks([*places, *headings], [*map(_plain, labels), *map(_plain, headings.values())])
    for tick in axes.get_yticklabels()[len(places) :]:
        tick.set_fontweight("bold")
    for row, place in zip(forest.rows, places, strict=True):
        words = ", ".join(filter(None, (row.said, row.details)))
        axes.annotate(_plain(words), (1.02, place), xycoords=("axes fraction", "data"), va="center")
    axes.set(xlim=forest.limits, ylim=(places[-1] + 0.7, -0.7), xlabel=forest.axis)
    axes.set_title(forest.title, loc="left")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if forest.reference is not None:
        axes.axvline(forest.reference, color="#555555", linewidth=0.9, zorder=0.9)


def attention_figure(source: Sequence[str], target: Sequence[str], weights: Sequence[Sequence[float]]) -> str:
    """The weights, one row a target token and one column a source token, as SVG; darker is more.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "lstmdrop", "svg.fonttype": "none", "font.size": 9}):
        size = (1.6 + 0.28 * len(source), 1.2 + 0.24 * len(target))
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(source)), [_plain(token) for token in source], rotation=60, ha="left")
        axes.set_yticks(range(len(target)), [_plain(token) for token in target])
        axes.tick_params(length=0)
        return svg_text(figure)


def _plain(token: str) -> str:
    """Without what matplotlib would take for a formula."""
    return token.replace("$", r"\$")
