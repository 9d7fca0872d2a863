"""Tables as HTML, with the exact value of each cell for sorting."""

from __future__ import annotations

from html import escape

from lstmdrop.report.formats import cell_text
from lstmdrop.report.table import Cell, Column, Note, Table


def table_html(table: Table) -> str:
    """A table under its heading, its notes folded below it; a click on a column's head sorts by it."""
    shown = table.for_readers()
    kept = [index for index in range(len(shown.columns)) if _says_something(shown, index)]
    heads = "".join(_head(shown.columns[index]) for index in kept)
    rows = "".join(
        f"<tr>{''.join(_cell(row[index], shown.columns[index]) for index in kept)}</tr>" for row in shown.rows
    )
    title = escape(table.title)
    return (
        f'<section class="results"><h2>{title}</h2>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"{_notes(table.notes)}</section>"
    )


def _says_something(table: Table, index: int) -> bool:
    return not table.rows or any(row[index] is not None for row in table.rows)


def _head(column: Column) -> str:
    kind = "text" if column.is_text else "number"
    return f'<th scope="col" class="{kind}" aria-sort="none"><button type="button">{escape(column.name)}</button></th>'


def _cell(cell: Cell, column: Column) -> str:
    kind = "text" if column.is_text else "number"
    value = "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)
    return f'<td class="{kind}" data-value="{escape(value)}">{escape(cell_text(cell, column))}</td>'


def _notes(notes: tuple[Note, ...]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note.text)}{_code(note.code)}</li>" for note in notes)
    return f"<details><summary>How these numbers were made</summary><ul>{items}</ul></details>"


def _code(code: str) -> str:
    return f" <code>{escape(code)}</code>" if code else ""
