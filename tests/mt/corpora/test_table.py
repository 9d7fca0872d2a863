"""Laws of tables: which cells are the pairs, and what separates them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.oddities import oddities
from lstmdrop_tasks.mt.corpora.overview import is_parallel
from lstmdrop_tasks.mt.corpora.parallel import Side
from lstmdrop_tasks.mt.corpora.table import TableLayout, table_pairs, table_rows

CELL = st.text("ab ,\"'é;", min_size=1, max_size=6).filter(str.strip)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), max_size=6)


def side_of(text: str) -> Side:
    def lines() -> Iterator[str]:
        yield from text.removesuffix("\n").split("\n") if text else ()

    return Side("table", lines)


@settings(deadline=None)
@given(ROWS, st.permutations((1, 2, 3)))
def test_a_csv_table_gives_back_the_cells_that_were_written(rows: list[tuple[str, ...]], places: list[int]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    source, target, _ = places
    layout = TableLayout((source, target)).of(Path("a.CSV"))
    found = list(table_pairs(side_of(text.getvalue()), layout))
    assert found == [(row[source - 1], row[target - 1]) for row in rows]


@settings(deadline=None)
@given(ROWS)
def test_between_tabs_a_quote_is_a_quote(rows: list[tuple[str, ...]]) -> None:
    text = "".join("\t".join(row) + "\n" for row in rows)
    assert list(table_pairs(side_of(text))) == [row[:2] for row in rows]


def test_blank_rows_are_left_out_and_the_header_is_the_first_that_is_not() -> None:
    table = side_of("\n \t \nen\tfr\n\none\tun\n\t\t\ntwo\t\n")
    assert list(table_rows(table, TableLayout(header=True))) == [(5, ["one", "un"]), (7, ["two", ""])]
    assert [place for place, _ in table_rows(table, TableLayout())] == [3, 5, 7]


def test_a_cell_of_several_lines_is_one_sentence() -> None:
    quoted = TableLayout(quoted=True)
    assert list(table_rows(side_of('"one\ntwo"\tun\nthree\ttrois\n'), quoted)) == [
        (2, ["one two", "un"]),
        (3, ["three", "trois"]),
    ]
    with pytest.raises(DataError, match="table:2: the quotes of the row that begins here are odd"):
        list(table_rows(side_of('a\tb\n"one\ttwo\nthree\tfour\n'), quoted))


@pytest.mark.parametrize(
    ("text", "layout", "said"),
    [
        ("a\tb\nalone\n", TableLayout(), "table:2: this line has no tab; a line is a sentence, a tab and its"),
        ("a,b\nalone\n", TableLayout().of(Path("a.csv")), r"table:2: this line has no comma; .* name it \.tsv"),
        ("a\tb\n", TableLayout((1, 3)), "table:1: this row has 2 columns, and 1 and 3 are to be read"),
        ("a\tb\n", TableLayout((3, 1)), "this row has 2 columns, and 3 and 1 are to be read"),
    ],
)
def test_a_row_without_the_columns_is_named(text: str, layout: TableLayout, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(table_pairs(side_of(text), layout))
    assert list(table_pairs(side_of("a\tb\n"), TableLayout((2, 1)))) == [("b", "a")]


def test_a_layout_says_in_words_what_is_not_as_usual() -> None:
    assert str(TableLayout()) == str(TableLayout((1, 2))) == ""
    assert str(TableLayout((2, 1), header=True, quoted=True)) == (
        "; columns 2 and 1; first row left out; cells may be quoted"
    )
    assert TableLayout().of(Path("a.tsv")) == TableLayout()
    assert TableLayout(header=True).of(Path("a.csv")) == TableLayout(header=True, quoted=True, delimiter=",")


@pytest.mark.parametrize(("num_columns", "is_table"), [(1, False), (2, True), (6, True), (7, False)])
def test_a_table_of_a_few_columns_is_a_parallel_text(tmp_path: Path, num_columns: int, is_table: bool) -> None:
    (tmp_path / "a.tsv").write_text("\t".join(["word"] * num_columns) + "\n")
    assert is_parallel(tmp_path / "a.tsv") is is_table


@pytest.mark.parametrize(("num_good", "is_table"), [(90, False), (91, True)])
def test_nearly_all_rows_have_to_be_of_a_table(tmp_path: Path, num_good: int, is_table: bool) -> None:
    (tmp_path / "a.txt").write_text("one\tun\n" * num_good + "alone\n" * (100 - num_good))
    assert is_parallel(tmp_path / "a.txt") is is_table


@pytest.mark.parametrize(("num_equal", "is_said"), [(10, False), (11, True)])
def test_a_tenth_of_the_pairs_may_be_the_same_on_both_sides(tmp_path: Path, num_equal: int, is_said: bool) -> None:
    rows = [f"word {'x' * number}\tword {'x' * number}\n" for number in range(num_equal)]
    rows += [f"word {'x' * number}\tmot {'y' * number}\n" for number in range(100 - num_equal)]
    (tmp_path / "a.tsv").write_text("".join(rows))
    assert any("the same on both sides" in line for line in oddities(str(tmp_path / "a.tsv"), None)) is is_said


@pytest.mark.parametrize(("num_numbers", "is_said"), [(90, False), (91, True)])
def test_a_side_that_is_nearly_all_numbers_is_said(tmp_path: Path, num_numbers: int, is_said: bool) -> None:
    rows = [f"{number}\tmot\n" for number in range(num_numbers)] + ["word\tmot\n"] * (100 - num_numbers)
    (tmp_path / "a.tsv").write_text("".join(rows))
    assert any("source side is numbers" in line for line in oddities(str(tmp_path / "a.tsv"), None)) is is_said
