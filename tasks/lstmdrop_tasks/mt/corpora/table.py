"""Pairs from the rows of a table: lines of a sentence, a tab and its translation, or a CSV file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.data.rows import cell_rows
from lstmdrop.errors import DataError

if TYPE_CHECKING:
    from lstmdrop_tasks.mt.corpora.parallel import Side

ENDINGS = (".tsv", ".csv")
FIRST_TWO = (1, 2)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Which cells of a table are the pairs."""

    columns: tuple[int, int] | None = None
    """Of the source and of the target, counted from 1; None: nobody chose, and they are `FIRST_TWO`."""
    header: bool = False
    """Whether the first row names the columns."""
    quoted: bool = False
    """Whether cells may stand in double quotes, as spreadsheets write them; else a quote is a quote."""
    delimiter: str = "\t"

    @property
    def places(self) -> tuple[int, int]:
        """The columns that are read."""
        return self.columns or FIRST_TWO

    def of(self, path: Path) -> TableLayout:
        """This layout as a file's ending has it: in ``.csv``, commas separate cells that may be quoted."""
        return dataclasses.replace(self, quoted=True, delimiter=",") if path.suffix.lower() == ".csv" else self

    def __str__(self) -> str:
        """In words, what is not as usual."""
        source, target = self.places
        said = [
            f"columns {source} and {target}" if self.places != FIRST_TWO else "",
            "first row left out" if self.header else "",
            "cells may be quoted" if self.quoted else "",
        ]
        return "".join(f"; {words}" for words in said if words)


DEFAULT = TableLayout()


def table_pairs(table: Side, layout: TableLayout = DEFAULT) -> Iterator[tuple[str, str]]:
    """The source and the target cell of each row; blank rows are left out.

    Raises:
        DataError: a row has not so many columns, or quotes that do not end.
    """
    source, target = layout.places
    for place, cells in table_rows(table, layout):
        if len(cells) < max(layout.places):
            raise DataError(f"{table.name}:{place}: {_too_few(cells, layout)}")
        yield cells[source - 1], cells[target - 1]


def table_rows(table: Side, layout: TableLayout) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, after the header, with the number of its (last) line.

    Raises:
        DataError: quotes do not end.
    """
    rows = cell_rows(table.lines(), table.name, layout.delimiter, quoted=layout.quoted)
    return islice(rows, 1, None) if layout.header else rows


def _too_few(cells: list[str], layout: TableLayout) -> str:
    if len(cells) == 1:
        separator, other = ("tab", "") if layout.delimiter == "\t" else ("comma", " (with tabs, name it .tsv)")
        return f"this line has no {separator}; a line is a sentence, a {separator} and its translation{other}"
    source, target = layout.places
    return (
        f"this row has {len(cells)} columns, and {source} and {target} are to be read\n"
        "data.columns chooses others, source first: --columns 1,2"
    )
