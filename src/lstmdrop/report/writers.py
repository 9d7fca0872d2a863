"""The formats of tables that are text, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lstmdrop.report.formats import to_csv, to_json, to_markdown
from lstmdrop.report.latex import to_latex
from lstmdrop.report.table import Table

WRITERS: Mapping[str, Callable[[Iterable[Table]], str]] = {
    "markdown": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
    "json": to_json,
}
