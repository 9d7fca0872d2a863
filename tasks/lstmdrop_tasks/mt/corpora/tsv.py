"""Pairs from lines of a sentence, a tab and its translation."""

from __future__ import annotations

from collections.abc import Iterator

from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.side import Side


def tsv_pairs(table: Side) -> Iterator[tuple[str, str]]:
    """The first two columns of each line; further ones are left out, and so are blank lines.

    Raises:
        DataError: a line has no tab.
    """
    for number, line in enumerate(table.lines(), 1):
        if not line or line.isspace():
            continue
        columns = line.split("\t", 2)
        if len(columns) < 2:
            raise DataError(
                f"{table.name}:{number}: this line has no tab; a line is a sentence, a tab and its translation"
            )
        yield columns[0], columns[1]
