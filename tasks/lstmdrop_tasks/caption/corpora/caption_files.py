"""The three forms in which captions of Flickr's images are published."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.caption.corpora.splits import CaptionCollector, Captions

TOKEN_LINE = re.compile(r"(?P<image>[^\t]+)#\d+\t(?P<caption>.*)")
BAR_HEADER = "image_name|"
BAR_LINE = re.compile(r"(?P<image>[^|]+?)\s*\|\s*\d+\s*(?:\||\s)(?P<caption>.*)")
"""Of the published table one line lacks the second bar."""

IMAGE_COLUMNS, CAPTION_COLUMNS = ("image", "image_name"), ("caption", "comment")


def read_captions(path: Path) -> Captions:
    """The captions of a table ``image,caption``, of one with ``|`` between columns, or of ``name.jpg#0<TAB>caption``.

    Raises:
        DataError: the file is missing, not UTF-8, or a line is in none of these forms.
    """
    collector = CaptionCollector()
    for image, caption in _captions_of(path):
        collector.add(image, caption)
    return collector.collected()


def _captions_of(path: Path) -> Iterator[tuple[str, str]]:
    first = next(read_lines(path))
    if first.replace(" ", "").startswith(BAR_HEADER):
        return _matches(path, BAR_LINE, "image_name| comment_number| comment", skip=1)
    if TOKEN_LINE.fullmatch(first):
        return _matches(path, TOKEN_LINE, "name.jpg#0, a tab and a caption")
    return _table(path)


def _matches(path: Path, form: re.Pattern[str], what: str, skip: int = 0) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        if number <= skip or not line.strip():
            continue
        match = form.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{number}: not {what}")
        yield match["image"], match["caption"]


def _table(path: Path) -> Iterator[tuple[str, str]]:
    # Line ends belong to the rows, for a caption in quotation marks may go over several lines.
    rows = csv.reader((line + "\n" for line in read_lines(path)), strict=True)
    try:
        header = [column.strip() for column in next(rows)]
        image, caption = (_column(path, header, names) for names in (IMAGE_COLUMNS, CAPTION_COLUMNS))
        for row in rows:
            if not any(map(str.strip, row)):
                continue
            if len(row) != len(header):
                raise DataError(f"{path}:{rows.line_num}: {len(row)} columns, and the header has {len(header)}")
            yield row[image].strip(), row[caption]
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: {error}") from None


def _column(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(f"{path}:1: no column {names[0]!r} in the header, but {', '.join(header)}")
