"""Rows of Parquet are those of JSON lines, read in parts and by columns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lstmdrop.data import parquet
from lstmdrop.data.parquet import describe_parquet, parquet_parts
from lstmdrop.data.rows import read_rows, row_parts
from lstmdrop.errors import DataError, MissingPartError

ROWS = [{"id": number, "text": f"row {number} é", "body": {"plain": f"b{number}"}} for number in range(50)]


def written(path: Path, rows: list[dict[str, Any]] = ROWS, rows_a_group: int = 7) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=rows_a_group)
    return path


def test_rows_are_those_of_json_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    lines = tmp_path / "a.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert [row.cells for row in read_rows(path)] == [row.cells for row in read_rows(lines)]
    assert [row.place for row in read_rows(path)][9] == f"{path}, row 10"
    assert describe_parquet(path) == f"{path}: 50 rows; columns: id, text, body"


@pytest.mark.parametrize("part_bytes", [1, 200, 10**9])
def test_parts_are_whole_row_groups_and_together_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(parquet, "PART_BYTES", part_bytes)
    path = written(tmp_path / "a.parquet")
    parts = row_parts(path)
    assert len(parts) == (8 if part_bytes == 1 else 1 if part_bytes == 10**9 else len(parts))
    found = [row for part in parts for row in read_rows(part)]
    assert [row.cells["id"] for row in found] == list(range(50))
    assert [row.place for row in found] == [row.place for row in read_rows(path)]


@pytest.mark.parametrize(("column", "cells"), [("text", {"text"}), ("body.plain", {"body"}), ("none", {*ROWS[0]})])
def test_only_the_columns_that_are_asked_for_are_read(tmp_path: Path, column: str, cells: set[str]) -> None:
    (row, *_) = read_rows(written(tmp_path / "a.parquet"), columns=(column, "split"))
    assert set(row.cells) == cells
    if column == "none":
        with pytest.raises(DataError, match=r"row 1: there is no 'none'; there are: id, text, body\.plain"):
            row.text(column)


def test_what_is_no_parquet_is_said_in_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    content = path.read_bytes()
    for wrong in (b"", b"a text\n", content[:-9], content[: len(content) // 2]):
        path.write_bytes(wrong)
        for read in (lambda: list(read_rows(path)), lambda: parquet_parts(path)):
            with pytest.raises(DataError, match=rf"^{path}: "):
                read()
    with pytest.raises(DataError, match="no such file"):
        list(read_rows(tmp_path / "none.parquet"))


def test_without_pyarrow_the_line_to_type_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPartError, match=r"pip install 'lstmdrop\[arrow\]'"):
        list(read_rows(path))


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    assert [row for part in row_parts(path) for row in read_rows(part)] == []
