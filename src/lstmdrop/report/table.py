"""Tables of results, before they are formatted."""

from __future__ import annotations

from dataclasses import dataclass, replace

Cell = str | int | float | None
"""A number keeps its value; None where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how its numbers are written."""

    name: str
    decimals: int | None = 2
    """Of numbers that are not whole; None for as many as needed, ``significant`` at most."""
    significant: int = 6
    """Digits, where ``decimals`` is None."""
    is_signed: bool = False
    is_text: bool = False
    is_heading: bool = False
    """Rows that agree in all such columns are one block, which these cells head."""
    rank: int = 0
    """Where space is short the highest rank goes first; 0 never goes."""
    for_programs: bool = False
    """Only in the formats that programs read; for readers the notes say it once."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark under a table; ``code`` is a signature or a shell command, to be kept verbatim."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Typed cells under a title."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Note, ...] = ()

    def for_readers(self) -> Table:
        """The table without the columns that are for programs alone."""
        kept = [index for index, column in enumerate(self.columns) if not column.for_programs]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return replace(self, columns=tuple(self.columns[index] for index in kept), rows=rows)
