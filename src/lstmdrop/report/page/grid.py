"""Tables as HTML: a click on a head sorts, wide ones scroll under a first column that stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lstmdrop.report.table import Note, Table, cell_text


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    name: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """What a cell shows, and what it is sorted by; None comes last."""

    text: str = ""
    key: str | float | None = None


def grid_html(title: str, heads: Sequence[Head], rows: Sequence[Sequence[Value]]) -> str:
    """A table; columns that say nothing in any row are left out."""
    kept = [index for index in range(len(heads)) if not rows or any(row[index].text not in ("", "-") for row in rows)]
    head = "".join(_head(heads[index]) for index in kept)
    body = "".join(
        f"<tr>{''.join(_cell(row[index], heads[index], is_first=index == kept[0]) for index in kept)}</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(title)}"><table>'
        f"<caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(head: Head) -> str:
    kind = "text" if head.is_text else "number"
    return f'<th scope="col" class="{kind}" aria-sort="none"><button type="button">{escape(head.name)}</button></th>'


def _cell(value: Value, head: Head, *, is_first: bool) -> str:
    kind = "text" if head.is_text else "number"
    tag, scope = ("th", ' scope="row"') if is_first else ("td", "")
    key = "" if value.key is None else value.key
    return f'<{tag}{scope} class="{kind}" data-value="{escape(str(key))}">{escape(value.text)}</{tag}>'


def table_html(table: Table) -> str:
    """A table of a report, its notes folded below it."""
    shown = table.for_readers()
    heads = [Head(column.name, column.is_text) for column in shown.columns]
    rows = [
        [Value(cell_text(cell, column), cell) for cell, column in zip(row, shown.columns, strict=True)]
        for row in shown.rows
    ]
    return grid_html(table.title, heads, rows) + notes_html(table.notes)


def notes_html(notes: Sequence[Note]) -> str:
    """What is said below a table, folded."""
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note.text)}{_code(note.code)}</li>" for note in notes)
    return f'<details class="notes"><summary>How these numbers were made</summary><ul>{items}</ul></details>'


def _code(code: str) -> str:
    return f" <code>{escape(code)}</code>" if code else ""
