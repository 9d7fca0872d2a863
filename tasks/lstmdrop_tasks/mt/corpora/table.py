"""Pairs from rows: lines of a sentence, a tab and its translation, CSV files, JSON lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lstmdrop.data.rows import NAMED_ENDINGS, SPLIT, Row, as_text, cell_rows, ending_of, read_rows
from lstmdrop.data.text import read_lines
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.language_pair import TAG, UNNAMED, LanguagePair, pair_among, parse_pair

if TYPE_CHECKING:
    from lstmdrop_tasks.mt.corpora.parallel import Side

FIRST_TWO = (1, 2)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Which cells of a table are the pairs."""

    columns: tuple[int, int] | tuple[str, str] | None = None
    """Of the source and of the target, counted from 1 or by name; None: nobody chose, and they are `FIRST_TWO`, or
    those that the first row names by the languages."""
    header: bool = False
    """Whether the first row names the columns."""
    quoted: bool = False
    """Whether cells may stand in double quotes, as spreadsheets write them; else a quote is a quote."""
    delimiter: str = "\t"

    @property
    def places(self) -> tuple[int, int]:
        """The columns that are read by their numbers."""
        first, second = self.columns or FIRST_TWO
        return (first, second) if isinstance(first, int) and isinstance(second, int) else FIRST_TWO

    @property
    def names(self) -> tuple[str, str] | None:
        """The columns that are read by their names."""
        first, second = self.columns or FIRST_TWO
        return (first, second) if isinstance(first, str) and isinstance(second, str) else None

    def of(self, path: Path) -> TableLayout:
        """This layout as a file's ending has it: in ``.csv``, commas separate cells that may be quoted."""
        return dataclasses.replace(self, quoted=True, delimiter=",") if ending_of(path) == ".csv" else self

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


GENERIC = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("src", "ref"))
"""What people call the two sides where they do not name the languages."""
NO_SIDES = frozenset((SPLIT, "id"))


class Named(NamedTuple):
    """The columns of a pair by their names, and its languages."""

    columns: tuple[str, str]
    pair: LanguagePair


def named_columns(path: Path, pair: str | None, layout: TableLayout) -> Named | None:
    """The columns that ``layout`` or the languages name, or that are the only two; None: they go by their numbers.

    Raises:
        ConfigError: JSON lines or Parquet do not tell which two of their fields are the pair.
        DataError: the file is missing or damaged, or has no such column.
    """
    is_json = ending_of(path) in NAMED_ENDINGS
    if not is_json and layout.names is None and (layout.columns or layout.header or pair is None):
        return None
    names = next(read_rows(path)).names if is_json else _first_cells(path, layout)
    codes = {name.rpartition(".")[2]: name for name in names}
    if layout.names is not None:
        return Named(layout.names, _languages(pair, layout.names))
    found = pair_among(pair, codes) if pair is not None else None
    if found is not None:
        return Named((codes[found.source], codes[found.target]), found)
    if not is_json:
        return None
    sides = [side for side in GENERIC if set(side) <= codes.keys()] or ([] if pair else _only_two(names))
    if len(sides) != 1:
        ways = "name the two, source first: --columns de,en" + (
            "" if pair else ", or --pair de-en where they are languages"
        )
        raise ConfigError(f"{path}: which fields are the pair? there are: {', '.join(names)}\n{ways}")
    source, target = (codes.get(name, name) for name in sides[0])
    return Named((source, target), _languages(pair, (source, target)))


def _first_cells(path: Path, layout: TableLayout) -> list[str]:
    table = layout.of(path)
    return next(
        (cells for _, cells in cell_rows(read_lines(path), str(path), table.delimiter, quoted=table.quoted)), []
    )


def _only_two(names: list[str]) -> list[tuple[str, str]]:
    """The only two that are called as languages are; ``id`` is one too where it is needed."""
    called = [name for name in names if TAG.fullmatch(name.rpartition(".")[2])]
    for codes in ([name for name in called if name not in NO_SIDES], called):
        if len(codes) == 2:
            return [(codes[0], codes[1])]
    return []


def _languages(pair: str | None, names: tuple[str, str]) -> LanguagePair:
    """As it is said, or as the columns are called where these are codes."""
    codes = [name.rpartition(".")[2] for name in names]
    if pair is not None:
        return pair_among(pair, codes) or parse_pair(pair)
    are_codes = all(map(TAG.fullmatch, codes)) and tuple(codes) not in GENERIC
    return LanguagePair(*codes) if are_codes and codes[0] != codes[1] else UNNAMED


def row_pairs(path: Path, columns: tuple[str, str], layout: TableLayout) -> Iterator[tuple[Row, str, list[str]]]:
    """Of each row, itself, the source and the translations: a list of JSON has several.

    Raises:
        DataError: a row has no such column, or something else than text in it.
    """
    source, target = columns
    advice = "data.columns chooses others, source first: --columns de,en"
    for row in read_rows(path, quoted=layout.quoted, columns=(source, target, SPLIT)):
        found = row.get(target)
        if isinstance(found, list):
            translations = [as_text(one, target, row.place) for one in found]
        else:
            translations = [row.text(target, advice)]
        yield row, _one_line(row.text(source, advice)), list(map(_one_line, translations)) or [""]


def _one_line(text: str) -> str:
    return " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
