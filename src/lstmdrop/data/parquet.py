"""Rows of Parquet files, which pyarrow reads a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from lstmdrop.data.archive import damaged
from lstmdrop.data.parts import PART_BYTES
from lstmdrop.data.text import Part, require_file
from lstmdrop.errors import loading

PARQUET = ".parquet"
ROWS_AT_ONCE = 1024
BUFFERED = 1 << 20
"""Bytes of a column that are read at a time, so that a row group may be larger than memory."""


def parquet_rows(part: Part, columns: Sequence[str] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of some row groups, each with its place (``file, row N``).

    Of all columns only ``columns`` are read (of a column in a column, the outer one), if the first of them is there.

    Raises:
        DataError: the file is missing, empty, damaged or no Parquet file.
        MissingPartError: pyarrow is not installed.
    """
    with _opened(part.path) as file:
        names: list[str] = file.schema_arrow.names
        outer = [name if name in names else name.partition(".")[0] for name in columns]
        wanted = [name for name in outer if name in names] if outer and outer[0] in names else None
        groups = range(part.start, file.num_row_groups if part.end is None else part.end)
        numbers = count(1 + sum(file.metadata.row_group(group).num_rows for group in range(part.start)))
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=wanted):
            for cells in batch.to_pylist():
                yield f"{part.path}, row {next(numbers)}", cells


def parquet_parts(path: Path) -> list[Part]:
    """The file in parts of whole row groups, of about `lstmdrop.data.parts.PART_BYTES` each.

    Raises:
        DataError: as `parquet_rows`.
    """
    with _opened(path) as file:
        parts, start, num_bytes = [], 0, 0
        for group in range(file.num_row_groups):
            num_bytes += file.metadata.row_group(group).total_byte_size
            if num_bytes >= PART_BYTES or group == file.num_row_groups - 1:
                parts.append(Part(path, start, group + 1))
                start, num_bytes = group + 1, 0
        return parts or [Part(path)]


def describe_parquet(path: Path) -> str:
    """How many rows there are, and which columns.

    Raises:
        DataError: as `parquet_rows`.
    """
    with _opened(path) as file:
        return f"{path}: {file.metadata.num_rows:,} rows; columns: {', '.join(file.schema_arrow.names)}"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    require_file(path)
    with loading("Parquet files need pyarrow", "pip install 'lstmdrop[arrow]'"):
        import pyarrow
        from pyarrow.parquet import ParquetFile
    try:
        with ParquetFile(path, buffer_size=BUFFERED, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise damaged(path, error) from None
