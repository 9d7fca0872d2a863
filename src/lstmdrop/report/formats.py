"""Tables as text that other programs read."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence

from lstmdrop.report.table import Cell, Column, Note, Table


def cell_text(cell: Cell, column: Column) -> str:
    """A cell as a reader wants it: rounded as its column says, ``-`` for a number that there is not."""
    if cell is None:
        return "" if column.is_text else "-"
    if isinstance(cell, float):
        digits = f".{column.significant}g" if column.decimals is None else f".{column.decimals}f"
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
    return json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


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
    return f"{note.text} `{note.code}`" if note.code else note.text


def _plain(table: Table) -> dict[str, object]:
    names = [column.name for column in table.columns]
    return {
        "title": table.title,
        "columns": names,
        "rows": [dict(zip(names, map(_finite, row), strict=True)) for row in table.rows],
        "notes": [{"text": note.text, "code": note.code} for note in table.notes],
    }


def _finite(cell: Cell) -> Cell:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell
