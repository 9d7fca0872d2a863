"""What the screen shows: the only file that draws with rich or plotext."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import rich.table
from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from lstmdrop.errors import UsageError
from lstmdrop.report.formats import cell_text
from lstmdrop.report.plots import perplexity_ticks
from lstmdrop.report.summary import Curves
from lstmdrop.report.table import Cell, Column, Note, Table

_GAP = 2  # blanks between two columns
_NARROWEST = 18  # text is not made narrower than this while a less important column can go
# Training and validation of each run, told apart without colour too
_MARKERS = (".o", "-x", ":#", "'@", ",%")
_COLORS = ("blue", "red", "green", "magenta", "cyan")


def table(content: Table) -> RenderableType:
    """A table that fits the width it is printed at: text wraps, then the least important columns go."""
    return _FittedTable(content)


def print_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print tables one under the other, on standard output where no console is given."""
    console = console or Console()
    for number, content in enumerate(tables):
        if number:
            console.print()
        console.print(table(content))


@dataclass(frozen=True, slots=True)
class _FittedTable:
    content: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        columns, rows = self.content.columns, self.content.rows
        widths, left_out = _fit(self.content, options.max_width)
        yield Text("\n".join(_wrap(self.content.title, options.max_width)), style="bold")
        yield _grid(columns, widths, (), has_header=True)
        for heading, block in groupby(rows, key=lambda row: _heading(columns, row)):
            if heading:
                yield Text(heading, style="italic")
            yield _grid(columns, widths, block, has_header=False)
        remarks = [Note(f"Too narrow here for: {', '.join(left_out)}.")] if left_out else []
        for number, note in enumerate((*remarks, *self.content.notes)):
            if number == 0:
                yield Text()
            yield Text("\n".join(_note_lines(note, options.max_width)), style="dim")


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


def _fit(content: Table, width: int) -> tuple[dict[int, int], list[str]]:
    """The width of each column that is shown, and the names of those that did not fit."""
    worth = [index for index in range(len(content.columns)) if _says_something(content, index)]
    natural = {index: _natural_width(content, index) for index in worth}
    shown = worth
    while True:
        room = width - _GAP * (len(shown) - 1)
        widths = _shrink({index: natural[index] for index in shown}, room, _NARROWEST)
        highest = max((_rank(content, index) for index in shown), default=0)
        if sum(widths.values()) <= room or highest == 0:
            left_out = [content.columns[index].name for index in worth if index not in shown]
            return _shrink(widths, room, 1), left_out
        shown = [index for index in shown if _rank(content, index) < highest]


def _says_something(content: Table, index: int) -> bool:
    is_empty = content.rows and all(row[index] is None for row in content.rows)
    return not is_empty and not content.columns[index].is_heading


def _rank(content: Table, index: int) -> int:
    rank = content.columns[index].rank
    tells_rows_apart = len({row[index] for row in content.rows}) != 1
    return rank if tells_rows_apart or not rank else rank + 100


def _natural_width(content: Table, index: int) -> int:
    column = content.columns[index]
    texts = [*_header(column).split("\n"), *(cell_text(row[index], column) for row in content.rows)]
    return max(cell_len(text) for text in texts)


def _shrink(widths: dict[int, int], room: int, narrowest: int) -> dict[int, int]:
    """Take from the widest column, again and again, until all fit or none can give any more."""
    widths = dict(widths)
    while sum(widths.values()) > room and max(widths.values()) > narrowest:
        widest = max(widths, key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _grid(
    columns: Sequence[Column], widths: dict[int, int], rows: Iterable[Sequence[Cell]], *, has_header: bool
) -> RenderableType:
    grid = rich.table.Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, show_header=has_header
    )
    for index, width in widths.items():
        justify: Literal["left", "right"] = "left" if columns[index].is_text else "right"
        grid.add_column(Text(_header(columns[index])), width=width, justify=justify, vertical="top")
    for row in rows:
        cells = (cell_text(row[index], columns[index]) for index in widths)
        grid.add_row(*(Text("\n".join(_wrap(cell, width))) for cell, width in zip(cells, widths.values(), strict=True)))
    return grid


def _header(column: Column) -> str:
    return column.name if column.is_text else column.name.replace(" ", "\n")


def _heading(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    cells = (cell_text(cell, column) for cell, column in zip(row, columns, strict=True) if column.is_heading)
    return ", ".join(cells)


def _note_lines(note: Note, width: int) -> list[str]:
    line = f"{note.text} {note.code}".rstrip()
    if not note.code or cell_len(line) <= width:
        return _wrap(line, width)
    return [*_wrap(note.text, width), *(f"  {part}" for part in _wrap(note.code, width - 2))]


def _wrap(text: str, width: int) -> list[str]:
    """Lines that break after a blank, ``|`` or ``/``, and within a word only where it is too long for a line."""
    lines = [""]
    for word in re.findall(r"[^ |/]*[ |/]|[^ |/]+", text):
        bare = word.rstrip(" ")
        if lines[-1] and cell_len(lines[-1] + bare) > width:
            lines.append("")
        first, *others = chop_cells(bare, width) or [""]
        lines[-1] += first
        lines += others
        lines[-1] += word[len(bare) :]
    return [line.rstrip(" ") for line in lines]
