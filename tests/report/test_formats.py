from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.report.table import Cell, Column, Note, Table, cell_text, to_csv, to_json, to_markdown

COLUMNS = (Column("rule", is_text=True), Column("test"), Column("diff", is_signed=True), Column("seeds"))
TABLE = Table(
    "What dropout changed",
    COLUMNS,
    (("none", 114.456789, None, 1), ("a|b", 82.7, -31.756789, 3)),
    (Note("lower is better"), Note("how:", "tokens:1|stream:single")),
)
EMPTY = Table("Nothing", COLUMNS[:1], ())


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (82.678, Column("test"), "82.68"),
        (82.678, Column("test", decimals=1), "82.7"),
        (0.65, Column("p", decimals=None), "0.65"),
        (0.5, Column("diff", is_signed=True), "+0.50"),
        (-0.5, Column("diff", is_signed=True), "-0.50"),
        (19_780_000, Column("parameters"), "19780000"),
        (0.012345, Column("p-value", decimals=None, significant=2), "0.012"),
        (math.inf, Column("test"), "inf"),
        (None, Column("test"), "-"),
        (None, Column("rule", is_text=True), ""),
        ("not run", Column("test"), "not run"),
    ],
)
def test_a_cell_is_written_as_its_column_says(cell: Cell, column: Column, text: str) -> None:
    assert cell_text(cell, column) == text


def test_markdown() -> None:
    assert to_markdown([TABLE, EMPTY]) == (
        "## What dropout changed\n"
        "\n"
        "| rule | test | diff | seeds |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| none | 114.46 | - | 1 |\n"
        "| a\\|b | 82.70 | -31.76 | 3 |\n"
        "\n"
        "- lower is better\n"
        "- how: `tokens:1|stream:single`\n"
        "\n"
        "## Nothing\n"
        "\n"
        "| rule |\n"
        "| --- |\n"
    )


def test_csv_keeps_every_digit_and_names_the_table_in_each_line() -> None:
    text = to_csv([TABLE, EMPTY])
    assert list(csv.reader(io.StringIO(text))) == [
        ["table", "rule", "test", "diff", "seeds"],
        ["What dropout changed", "none", "114.456789", "", "1"],
        ["What dropout changed", "a|b", "82.7", "-31.756789", "3"],
        [],
        ["table", "rule"],
    ]


def test_json_keeps_numbers_as_numbers() -> None:
    assert json.loads(to_json([TABLE, EMPTY])) == [
        {
            "title": "What dropout changed",
            "columns": ["rule", "test", "diff", "seeds"],
            "rows": [
                {"rule": "none", "test": 114.456789, "diff": None, "seeds": 1},
                {"rule": "a|b", "test": 82.7, "diff": -31.756789, "seeds": 3},
            ],
            "notes": [{"text": "lower is better", "code": ""}, {"text": "how:", "code": "tokens:1|stream:single"}],
        },
        {"title": "Nothing", "columns": ["rule"], "rows": [], "notes": []},
    ]


def test_json_has_no_infinity() -> None:
    table = Table("Diverged", COLUMNS[1:3], ((math.inf, -math.inf), (math.nan, 1.5)))
    rows = json.loads(to_json([table]), parse_constant=pytest.fail)[0]["rows"]
    assert rows == [{"test": "inf", "diff": "-inf"}, {"test": "nan", "diff": 1.5}]


CELLS = st.none() | st.integers() | st.floats(allow_nan=False) | st.text("ab |\\\n,\"'<é", max_size=8)
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=4)


@settings(deadline=None)
@given(ROWS)
def test_whatever_the_cells_a_row_of_markdown_is_one_line_of_as_many_cells(rows: list[tuple[Cell, ...]]) -> None:
    columns = (Column("a", is_text=True), Column("b", is_text=True))
    *_, last = to_markdown([Table("t", columns, ((None, None), *rows))]).split("\n\n")
    lines = last.rstrip("\n").split("\n")
    assert len(lines) == 3 + len(rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}


@settings(deadline=None)
@given(ROWS)
def test_whatever_the_cells_json_and_csv_give_them_back(rows: list[tuple[Cell, ...]]) -> None:
    table = Table("t", (Column("a"), Column("b")), tuple(rows))
    read = list(csv.reader(io.StringIO(to_csv([table]), newline="")))
    assert read[1:] == [["t", *("" if cell is None else str(cell) for cell in row)] for row in rows]
    (found,) = json.loads(to_json([table]))
    expected = [[str(cell) if isinstance(cell, float) and math.isinf(cell) else cell for cell in row] for row in rows]
    assert [list(row.values()) for row in found["rows"]] == expected
