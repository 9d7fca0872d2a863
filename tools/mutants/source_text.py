"""Where the parts of a syntax tree stand in their source."""

from __future__ import annotations

import ast
import re
from itertools import accumulate
from typing import NamedTuple


class Edit(NamedTuple):
    """Other text for the characters from ``start`` to ``end``."""

    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        """The source after it."""
        return source[: self.start] + self.text + source[self.end :]


class SourceText:
    """A source whose syntax tree counts in lines and bytes, here in characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0, *accumulate(map(len, self._lines))]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """The first character of a node."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """The character after a node."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def line(self, place: int) -> int:
        """The number of the line that holds a character; the first is 1."""
        return self.source.count("\n", 0, place) + 1

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """The edit that puts ``text`` in the place of a node."""
        return Edit(self.start(node), self.end(node), text)

    def operator(self, left: ast.expr, right: ast.expr, symbol: str, other: str) -> Edit:
        """The edit that puts another symbol between two operands."""
        between = self.source[self.end(left) : self.start(right)]
        found = re.search(r"\s+".join(map(re.escape, symbol.split())), between)
        assert found is not None, f"no {symbol} in {between!r}"
        return Edit(self.end(left) + found.start(), self.end(left) + found.end(), other)

    def negate(self, condition: ast.expr) -> Edit:
        """The edit that turns a condition into its opposite."""
        start, end = self.start(condition), self.end(condition)
        return Edit(start, end, f"not ({self.source[start:end]})")

    def strip_operator(self, node: ast.UnaryOp) -> Edit:
        """The edit that leaves of ``not x`` or ``-x`` the ``x``."""
        symbol = re.compile(r"not\s*|-").match(self.source, self.start(node))
        assert symbol is not None
        return Edit(symbol.start(), symbol.end(), "")

    def _offset(self, line: int, num_bytes: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:num_bytes].decode())
