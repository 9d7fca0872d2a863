"""Rows of tables and of JSON lines, by the names of their columns; which split a row or a file belongs to."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lstmdrop.config import Split
from lstmdrop.data.archive import PACKED_ENDINGS, unpacked_name
from lstmdrop.data.parquet import PARQUET, parquet_parts, parquet_rows
from lstmdrop.data.parts import text_parts
from lstmdrop.data.text import Part, read_lines
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop.parsing import parse_json, to_json

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
TABLE_ENDINGS = (".tsv", ".csv")
NAMED_ENDINGS = (*JSON_ENDINGS, PARQUET)
"""Of files each row of which has names for its cells."""
ROW_ENDINGS = (*NAMED_ENDINGS, *TABLE_ENDINGS)
SPLIT = "split"
"""The column that says which split a row is of."""
SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train", "training": "train",
    "valid": "valid", "val": "valid", "dev": "valid", "validation": "valid", "development": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What people call them."""
_SHARD = r"(?:[-._]\d[\d-]*(?:of-\d+)?)?"
SPLIT_FILE = re.compile(rf"(?:ptb\.|wiki\.)?({'|'.join(SPLIT_NAMES)}){_SHARD}", re.IGNORECASE)
"""A name without its ending: ``train``, ``val``, or a part of it as ``train-00000-of-00002``."""


class Row(NamedTuple):
    """One row, and where it stands: ``file:line``."""

    place: str
    cells: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """The cell of a column, of JSON also by the path to it (``translation.de``); None where there is none."""
        if name in self.cells:
            return self.cells[name]
        found: Any = self.cells
        for key in name.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def text(self, name: str, advice: str = "") -> str:
        """The cell as text; nothing for an empty one.

        Raises:
            DataError: there is no such column, or what it holds is no text.
        """
        found = self.get(name)
        if found is None and name not in {*self.cells, *self.names}:
            hint = f"{did_you_mean(name, self.names)}; there are: {', '.join(self.names)}"
            raise DataError(f"{self.place}: there is no {name!r}{hint}\n{advice}".rstrip())
        return as_text(found, name, self.place)

    @property
    def names(self) -> list[str]:
        """Those of its columns; of an object in an object, the path."""
        nested = {name: cell for name, cell in self.cells.items() if isinstance(cell, dict)}
        flat = [name for name in self.cells if name not in nested]
        return flat + [f"{name}.{key}" for name, cell in nested.items() for key in cell]

    @property
    def split(self) -> Split | None:
        """The split that it says it is of; None where it says none.

        Raises:
            DataError: what it says is no split.
        """
        named = self.cells.get(SPLIT)
        if named in (None, ""):
            return None
        if str(named).lower() not in SPLIT_NAMES:
            raise DataError(f"{self.place}: {SPLIT} is {named!r}; known: {', '.join(SPLIT_NAMES)}")
        return SPLIT_NAMES[str(named).lower()]


def as_text(cell: object, name: str, place: str) -> str:
    """What a cell holds, if it is a text or a number; nothing of an empty one.

    Raises:
        DataError: it is something else, or half a character.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise DataError(f"{place}: {name} is {to_json(cell, default=str)[:60]}, where a text is needed")
    text = str(cell)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{place}: {name} has half a character ({to_json(text)[:60]})") from None
    return text


def has_rows(path: Path) -> bool:
    """Whether a file's name says that it has rows."""
    return ending_of(path) in ROW_ENDINGS


def ending_of(path: Path) -> str:
    """``.jsonl`` of ``a.jsonl.gz``."""
    return unpacked_name(path).suffix.lower()


def read_rows(text: Path | Part, *, quoted: bool = False, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a file with JSON lines (or one JSON list), of Parquet, or of a table whose first row names them.

    The cells of a table may be ``quoted``, as those of ``.csv`` always may. Of Parquet only ``columns`` are read, if
    the first of them is there.

    Raises:
        DataError: the file is missing, empty or damaged, or a row is none; the message names it.
        MissingPartError: it is Parquet, and pyarrow is not installed.
    """
    part = text if isinstance(text, Part) else Part(text)
    path, ending = part.path, ending_of(part.path)
    if ending == PARQUET:
        yield from (Row(place, cells) for place, cells in parquet_rows(part, columns))
        return
    if ending in TABLE_ENDINGS:
        yield from _table_rows(path, quoted)
        return
    lines = enumerate(read_lines(part), part.first_line)
    written = ((number, line) for number, line in lines if line.strip())
    number, first = next(written, (part.first_line, ""))
    if first.lstrip().startswith("[") and part.start == 0:
        yield from _items(path, "\n".join([first, *(line for _, line in written)]))
    elif first or part.start == 0:
        yield _object(f"{path}:{number}", first)
        for number, line in written:
            yield _object(f"{path}:{number}", line)


def row_parts(path: Path) -> list[Part]:
    """The file in parts that `read_rows` reads; in one, where a row says what those after it are.

    Raises:
        DataError: it is Parquet, and damaged.
    """
    if ending_of(path) == PARQUET:
        return parquet_parts(path)
    with path.open("rb") as file:
        is_cut = ending_of(path) in JSON_ENDINGS and file.read(1) == b"{"
    return text_parts(path) if is_cut else [Part(path)]


def _object(place: str, line: str) -> Row:
    found = _parsed(place, line)
    if not isinstance(found, dict):
        raise DataError(f'{place}: a line is to be one JSON object, as {{"text": ...}}, and this is {line[:40]!r}')
    return Row(place, found)


def _items(path: Path, text: str) -> Iterator[Row]:
    for number, item in enumerate(_parsed(str(path), text), 1):
        if not isinstance(item, dict):
            raise DataError(f"{path}, item {number}: this is no JSON object")
        yield Row(f"{path}, item {number}", item)


def _parsed(place: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise DataError(f"{place}: this is no JSON ({error})") from None


def _table_rows(path: Path, quoted: bool) -> Iterator[Row]:
    is_csv = ending_of(path) == ".csv"
    rows = cell_rows(read_lines(path), str(path), "," if is_csv else "\t", quoted=quoted or is_csv)
    _, names = next(rows, (1, []))
    for number, cells in rows:
        if len(cells) != len(names):
            known = ", ".join(names)
            raise DataError(
                f"{path}:{number}: this row has {len(cells)} columns, and the first has {len(names)}: {known}"
            )
        yield Row(f"{path}:{number}", dict(zip(names, cells, strict=True)))


def cell_rows(lines: Iterable[str], name: str, delimiter: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, with the number of its (last) line; ``name`` is what errors call it.

    Where cells may be ``quoted``, a line end in one is a space.

    Raises:
        DataError: quotes do not end.
    """
    rows = _quoted_rows(lines, name, delimiter) if quoted else enumerate((line.split(delimiter) for line in lines), 1)
    return ((number, cells) for number, cells in rows if any(cell.strip() for cell in cells))


def _quoted_rows(lines: Iterable[str], name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            yield reader.line_num, [" ".join(cell.splitlines()) if "\n" in cell else cell for cell in cells]
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}:{start}: the quotes of the row that begins here are odd ({error})") from None


def table_reader(path: Path, delimiter: str = ",", quoting: Literal[0, 3] = csv.QUOTE_MINIMAL) -> csv.DictReader[str]:
    """A reader of rows, of which the header has been read.

    Raises:
        DataError: the file is missing or damaged, or the header is.
    """
    rows = csv.DictReader(read_lines(path), delimiter=delimiter, quoting=quoting)
    try:
        rows.fieldnames  # noqa: B018 (reads it)
    except csv.Error as error:
        raise DataError(f"{path}:1: the row cannot be read ({error})") from None
    return rows


def whole_rows(rows: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    """What a reader of ``path`` gives.

    Raises:
        DataError: a row of it is none: a cell is larger than `csv` takes, or has half a line end.
    """
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: the row cannot be read ({error})") from None


def split_files(folder: Path, endings: Sequence[str]) -> dict[Split, list[Path]]:
    """The files of each split in a folder: ``train.jsonl``, ``val.jsonl.gz``, or in parts ``test-00000-of-00002.csv``.

    Where a split has files of several names or endings, those count that come first in `SPLIT_NAMES` and ``endings``;
    of a file packed and unpacked, the unpacked one.
    """
    names = list(SPLIT_NAMES)
    found: dict[Split, dict[tuple[int, int], list[Path]]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix in PACKED_ENDINGS, path.name)):
        ending = ending_of(path)
        match = SPLIT_FILE.fullmatch(unpacked_name(path).stem)
        if match is None or ending not in endings or not path.is_file():
            continue
        name = match[1].lower()
        alike = found.setdefault(SPLIT_NAMES[name], {}).setdefault((names.index(name), endings.index(ending)), [])
        if unpacked_name(path) not in map(unpacked_name, alike):
            alike.append(path)
    return {split: sorted(kinds[min(kinds)]) for split, kinds in found.items()}


def split_folders(folder: Path, endings: Sequence[str]) -> dict[Split, list[Path]]:
    """As `split_files`, of a folder in which each split has a folder of its own: ``train/``, ``val/``."""
    names = list(SPLIT_NAMES)
    found: dict[Split, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.lower() in names and path.is_dir() and (files := files_below(path, endings)):
            found.setdefault(SPLIT_NAMES[path.name.lower()], files)
    return found


def files_below(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of a folder and of those in it whose names end so, packed or not, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if ending_of(path) in endings and path.is_file())


def is_pattern(path: Path) -> bool:
    """Whether the name is of files that it matches."""
    return any(sign in str(path) for sign in "*?[") and not path.exists()


def matching_files(pattern: Path) -> list[Path]:
    """The file of this name, or those that a pattern such as ``texts/*.txt.gz`` matches, in order; none, none."""
    if not is_pattern(pattern):
        return [pattern] if pattern.is_file() else []
    root = Path(pattern.anchor)
    return sorted(path for path in root.glob(str(pattern.relative_to(root))) if path.is_file())


def no_match(pattern: Path) -> str:
    """What to say of a pattern that matches no file."""
    return f"no file matches {str(pattern)!r} (looked from {Path.cwd()}); put it in quotes, or the shell reads it"
