"""The short results table within a text of one's own, between two markers."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.commands.report import Report
from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop.report.formats import to_markdown
from lstmdrop.report.short_table import short_table

BEGIN = "<!-- results: lstmdrop report docs/results --into README.md -->"
END = "<!-- end of results -->"


def with_results(text: str, made: Report, name: str = "the text") -> str:
    """``text`` with the table between its markers.

    Raises:
        DataError: the markers are missing, or there twice.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise DataError(f"{name} needs these two lines, once each, for the table to stand between:\n{BEGIN}\n{END}")
    before, _, rest = text.partition(BEGIN)
    _, heading, table = to_markdown([short_table(made.runs)]).partition("\n\n")
    return f"{before}{BEGIN}{heading}{table}\n{END}{rest.partition(END)[2]}"


def write_results(path: Path, made: Report) -> None:
    """Put the table into a file.

    Raises:
        DataError: the file cannot be read, or its markers are missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    changed = with_results(text, made, str(path))
    with atomic_file(path) as file:
        file.write(changed.encode())
