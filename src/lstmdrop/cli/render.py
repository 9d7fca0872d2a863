"""What the screen shows: the only file that draws with rich or plotext."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import rich.table
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from lstmdrop.report.formats import cell_text
from lstmdrop.report.plots import perplexity_ticks
from lstmdrop.report.summary import Curves
from lstmdrop.report.table import Cell, Column, Note, Table

_GAP = 2  # blank columns between two columns of a table
_NARROWEST = 20  # a column of text is not made narrower while a less important one can go
# Training and validation of a run; each run's pair differs from the others without colour too
_MARKERS = (".o", "-x", ":#", "'@", ",%")
_COLORS = ("blue", "red", "green", "magenta", "cyan")


def table(content: Table) -> RenderableType:
    """A table that fits the width it is printed at: text wraps, then the least important columns go."""
    return _FittedTable(content)


def print_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print tables one under the other on standard output, or on ``console``."""
    console = console or Console()
    for number, content in enumerate(tables):
        if number:
            console.print()
        console.print(table(content))


@dataclass(frozen=True, slots=True)
class _FittedTable:
    content: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown, widths = _fit(self.content, options.max_width)
        yield Text(self.content.title, style="bold")
        yield Text()
        for heading, rows in groupby(self.content.rows, key=lambda row: _heading(self.content.columns, row)):
            if heading:
                yield Text(heading, style="bold")
            yield _grid(self.content.columns, shown, widths, rows)
        ...
