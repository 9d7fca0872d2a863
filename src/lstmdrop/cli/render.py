"""Tables on the screen: the only file that draws them with rich."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import rich.table
from rich import box
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from lstmdrop.report.table import Cell, Column, Note, Table, cell_text, heading_text

_GAP = 2  # blanks between two columns
_NARROWEST_LAST = 24
_NARROWEST = 18  # text is not made narrower than this while a less important column can go


def table(content: Table) -> RenderableType:
    """A table that fits the width it is printed at: text wraps, then the least important columns go."""
    return _FittedTable(content.for_readers())


def print_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print tables one under the other, on standard output where no console is given."""
    console = console or Console()
    for number, content in enumerate(tables):
        if number:
            console.print()
        console.print(table(content))


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print plain rows on standard output, each whole on a line of its own where that is no terminal."""
    console = Console()
    for line in aligned(rows, console.width if console.is_terminal else None):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """The cells of rows under each other; within ``width`` the last wraps, below the others where it has no room."""
    widths = [max(map(cell_len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = sum(widths) + _GAP * len(widths)
    for *cells, last in rows:
        start = "".join(set_cell_size(cell, size + _GAP) for cell, size in zip(cells, widths, strict=True))
        if width is None or indent + cell_len(last) <= width:
            yield f"{start}{last}".rstrip()
        elif width - indent >= _NARROWEST_LAST:
            first, *others = _wrap(last, width - indent)
            yield f"{start}{first}".rstrip()
            yield from (" " * indent + line for line in others)
        else:
            yield from _wrap("  ".join(filter(None, cells)), width)
            yield from (f"  {line}" for line in _wrap(last, width - 2))


@dataclass(frozen=True, slots=True)
class _FittedTable:
    content: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        columns, rows = self.content.columns, self.content.rows
        widths, left_out = _fit(self.content, options.max_width)
        yield Text("\n".join(_wrap(self.content.title, options.max_width)), style="bold")
        yield _grid(columns, widths, (), has_header=True)
        for heading, block in groupby(rows, key=lambda row: heading_text(row, columns)):
            if heading:
                yield Text(heading, style="italic")
            yield _grid(columns, widths, block, has_header=False)
        remarks = [Note(f"Too narrow here for: {', '.join(left_out)}.")] if left_out else []
        for number, note in enumerate((*remarks, *self.content.notes)):
            if number == 0:
                yield Text()
            yield Text("\n".join(_note_lines(note, options.max_width)), style="dim")


def _fit(content: Table, width: int) -> tuple[dict[int, int], list[str]]:
    """The width of each column that is shown, and the names of those that did not fit."""
    worth = [index for index in range(len(content.columns)) if _says_something(content, index)]
    natural = {index: _natural_width(content, index) for index in worth}
    shown = worth
    while True:
        room = width - _GAP * (len(shown) - 1)
        widths = _shrink({index: natural[index] for index in shown}, room, _NARROWEST)
        highest = max((_rank(content, index) for index in shown), default=0)
        broken = {index for index in shown if content.columns[index].is_whole and widths[index] < natural[index]}
        if broken:
            shown = [index for index in shown if index not in broken]
        elif sum(widths.values()) <= room or highest == 0:
            left_out = [content.columns[index].name for index in worth if index not in shown]
            return _shrink(widths, room, 1), left_out
        else:
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
        header = "\n".join(part for line in _header(columns[index]).split("\n") for part in _wrap(line, width))
        grid.add_column(Text(header), width=width, justify=justify, vertical="top")
    for row in rows:
        cells = zip((cell_text(row[index], columns[index]) for index in widths), widths.values(), strict=True)
        grid.add_row(*(Text("\n".join(_wrap(cell, width, " |/="))) for cell, width in cells))
    return grid


def _header(column: Column) -> str:
    return column.name if column.is_text else column.name.replace(" ", "\n")


def _note_lines(note: Note, width: int) -> list[str]:
    line = f"{note.text} {note.code}".rstrip()
    if not note.code or cell_len(line) <= width:
        return _wrap(line, width)
    is_command = note.code.startswith("lstmdrop ")  # broken within a path, a part of it would be another command
    parts = _wrap(note.code, width - 2, " " if is_command else " |/")
    return [*_wrap(note.text, width), *(f"  {part}" for part in parts)]


def _wrap(text: str, width: int, breaks: str = " |/") -> list[str]:
    """Lines that break after one of ``breaks``, and within a word only where it is too long for a line."""
    lines = [""]
    for word in re.findall(rf"[^{breaks}]*[{breaks}]|[^{breaks}]+", text):
        bare = word.rstrip(" ")
        if lines[-1] and cell_len(lines[-1] + bare) > width:
            lines.append("")
        first, *others = chop_cells(bare, width) or [""]
        lines[-1] += first
        lines += others
        lines[-1] += word[len(bare) :]
    return [line.rstrip(" ") for line in lines]
