"""Tables of results, and the formats that they are written in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lstmdrop import parsing

Cell = str | int | float | None
"""A number keeps its value; None where there is nothing to say."""


class Rounded(float):
    """A number that is written with ``decimals`` of its own, whatever its column says; it keeps every digit."""

    decimals: int

    @classmethod
    def to(cls, decimals: int, value: float) -> Rounded:
        """``value``, to be written so."""
        made = cls(value)
        made.decimals = decimals
        return made


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
    is_whole: bool = False
    """Goes where it would have to be broken over lines, such as a command."""
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


def cell_text(cell: Cell, column: Column) -> str:
    """A cell as a reader wants it: rounded as its column says, ``-`` for a number that there is not."""
    if cell is None:
        return "" if column.is_text else "-"
    if isinstance(cell, float):
        decimals = cell.decimals if isinstance(cell, Rounded) else column.decimals
        digits = f".{column.significant}g" if decimals is None else f".{decimals}f"
        return format(cell, f"{'+' if column.is_signed else ''}{digits}")
    return str(cell)


def heading_text(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    """What heads the block that a row stands in."""
    return ", ".join(cell_text(cell, column) for cell, column in zip(row, columns, strict=True) if column.is_heading)


def to_markdown(tables: Iterable[Table]) -> str:
    """GitHub's Markdown: a heading, a table and its notes, each in turn."""
    return "\n".join(_markdown(table.for_readers()) for table in tables)


def to_csv(tables: Iterable[Table]) -> str:
    """Comma-separated values, unrounded, the title in the first column; a blank line between tables.

    Notes are left out: a CSV file has no place for them. How the numbers were made is in a column of its own.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, table in enumerate(tables):
        text.write("\n" if number else "")
        writer.writerow(("table", *(column.name for column in table.columns)))
        writer.writerows((table.title, *row) for row in table.rows)
    return text.getvalue()


def to_json(tables: Iterable[Table]) -> str:
    """A list of tables, each row an object by column name; values are unrounded.

    JSON has no infinity, so a number that is not finite is the string ``inf``, ``-inf`` or ``nan``.
    """
    values = [_plain(table) for table in tables]
    return parsing.to_json(values, indent=2, ensure_ascii=False) + "\n"


def _markdown(table: Table) -> str:
    rules = ["---" if column.is_text else "---:" for column in table.columns]
    rows = [[cell_text(*pair) for pair in zip(row, table.columns, strict=True)] for row in table.rows]
    lines = [[column.name for column in table.columns], rules, *rows]
    grid = "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)
    notes = "".join(f"- {_remark(note)}\n" for note in table.notes)
    return f"## {table.title}\n\n{grid}\n" + (f"\n{notes}" if notes else "")


def _escape(cell: str) -> str:
    return cell.replace("|", r"\|").replace("\n", " ")


def _remark(note: Note) -> str:
    if not note.code:
        return note.text
    fence = "`" * (1 + max(map(len, re.findall("`+", note.code)), default=0))
    pad = " " if "`" in note.code else ""
    return f"{note.text} {fence}{pad}{note.code}{pad}{fence}"


def _plain(table: Table) -> dict[str, object]:
    names = [column.name for column in table.columns]
    return {
        "title": table.title,
        "columns": names,
        "rows": [dict(zip(names, row, strict=True)) for row in table.rows],
        "notes": [{"text": note.text, "code": note.code} for note in table.notes],
    }


_PREAMBLE = "% \\usepackage{booktabs}\n"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
HIGHEST_RANK = 5
_BREAKABLE = ("|", "/")


def to_latex(tables: Iterable[Table]) -> str:
    """LaTeX that needs ``booktabs`` alone: the title as caption, notes and signatures as text after the float.

    A page is narrow: what columns of a block agree in heads it, and those of a rank above `HIGHEST_RANK` are left to
    the formats that programs read.
    """
    return _PREAMBLE + "\n".join(_latex(table.for_readers()) for table in tables)


def _latex(table: Table) -> str:
    shown = [index for index in range(len(table.columns)) if _is_shown(table, index)]
    columns = [table.columns[index] for index in shown]
    alignment = "".join("l" if column.is_text else "r" for column in columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex_text(table.title)}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        f"    {' & '.join(_latex_text(column.name) for column in columns)} \\\\",
        *_blocks(table, shown),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        *(rf"{{\footnotesize\noindent {_latex_note(note)}\par}}" for note in table.notes),
    ]
    return "\n".join(lines) + "\n"


def _blocks(table: Table, shown: Sequence[int]) -> Iterator[str]:
    for heading, rows in groupby(table.rows, key=lambda row: heading_text(row, table.columns)):
        yield r"    \midrule"
        if heading:
            yield rf"    \multicolumn{{{len(shown)}}}{{l}}{{\emph{{{_latex_text(heading)}}}}} \\"
        for row in rows:
            yield f"    {' & '.join(_latex_text(cell_text(row[index], table.columns[index])) for index in shown)} \\\\"


def _is_shown(table: Table, index: int) -> bool:
    column = table.columns[index]
    says_something = not table.rows or any(row[index] is not None for row in table.rows)
    return says_something and not column.is_heading and column.rank <= HIGHEST_RANK


def _latex_note(note: Note) -> str:
    return f"{_latex_text(note.text)} \\texttt{{{_breakable(note.code)}}}" if note.code else _latex_text(note.text)


def _latex_text(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _breakable(code: str) -> str:
    """A signature or a command that may break after its separators, else it would run out of the page."""
    escaped = (_latex_text(character) + (r"\allowbreak{}" if character in _BREAKABLE else "") for character in code)
    return "".join(escaped)


WRITERS: Mapping[str, Callable[[Iterable[Table]], str]] = {
    "markdown": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
    "json": to_json,
}
