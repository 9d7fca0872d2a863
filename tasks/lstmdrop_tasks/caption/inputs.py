"""What ``predict`` is given: image files, folders of them, standard input, and captions to score."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lstmdrop.data.registry import expanded
from lstmdrop.data.spelling import is_file
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError

STANDARD_INPUT = "-"
READY = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}
"""How files of features begin."""

ENDINGS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".j2k",
    ".heic", ".heif", ".npy", ".npz",
}  # fmt: skip
"""What is taken from a folder and the folders in it."""
MOST_NAMED = 8
"""Kinds of files that are passed over."""

TAB = "\t"

log = logging.getLogger("lstmdrop.caption")


def spooled(inputs: Iterable[str], folder: Path) -> Iterator[str]:
    """The names, with a file of what comes on standard input in the place of ``-``."""
    for name in inputs:
        if name != STANDARD_INPUT:
            yield name
            continue
        content = sys.stdin.buffer.read()
        ending = next((ending for magic, ending in READY.items() if content.startswith(magic)), "")
        path = folder / f"standard input{ending}"
        path.write_bytes(content)
        yield str(path)


def image_files(inputs: Iterable[str], empty: list[Path]) -> Iterator[Path]:
    """The files that are named; blank lines are passed over, folders stand for all images in and below them.

    What is passed over in a folder is counted in a line. Folders without any image are added to ``empty``.
    """
    for name in filter(str.strip, inputs):
        path = expanded(name)
        if not path.is_dir():
            yield path
            continue
        images, passed_over = _below(path)
        if passed_over:
            kinds = [f"{count:,} {kind}" for kind, count in passed_over.most_common()]
            others = [f"{len(kinds) - MOST_NAMED} more kinds"] if len(kinds) > MOST_NAMED else []
            log.warning("%s: passed over %s", path, ", ".join([*kinds[:MOST_NAMED], *others]))
        if not images:
            log.warning("%s: no image in this folder", path)
            empty.append(path)
        yield from images


def _below(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The images of a folder and of those in it, sorted, and how many of what else there is; links are no folders."""
    images, passed_over = [], Counter[str]()

    def unreadable(error: OSError) -> None:
        passed_over["unreadable folders"] += 1

    for place, folders, names in os.walk(folder, onerror=unreadable):
        hidden = [name for name in folders if name.startswith(".")]
        passed_over["hidden folders"] += len(hidden)
        linked = [name for name in folders if name not in hidden and (Path(place) / name).is_symlink()]
        passed_over["links to folders"] += len(linked)
        folders[:] = [name for name in folders if name not in {*hidden, *linked}]
        for path in (Path(place) / name for name in names):
            if path.name.startswith("."):  # such as ._photo.jpg, in which a Mac keeps what is no picture
                passed_over["hidden files"] += 1
            elif path.suffix.lower() in ENDINGS:
                images.append(path)
            else:
                passed_over[f"{path.suffix.lower()} files" if path.suffix else "files without an ending"] += 1
    return sorted(images), +passed_over


class Captioned(NamedTuple):
    """An image and a caption that is given."""

    image: Path
    caption: str
    where: str


def captioned(inputs: Iterable[str]) -> Iterator[Captioned]:
    """What is to be scored: of each input that has a tab the two sides, of a text file those of its lines.

    An image lies where its path says, or there from the folder of the text.

    Raises:
        DataError: a line has not one tab, or there is no such text.
    """
    for number, given in enumerate(inputs, 1):
        if TAB in given or not given.strip():
            if given.strip():
                yield _pair(given, f"line {number}", Path())
            continue
        lines = _standard_lines() if given == STANDARD_INPUT else read_lines(expanded(given))
        folder = Path() if given == STANDARD_INPUT else expanded(given).parent
        for place, line in enumerate(lines, 1):
            if line.strip():
                yield _pair(line, f"{given}:{place}", folder)


def _pair(line: str, where: str, folder: Path) -> Captioned:
    name, *captions = line.split(TAB)
    if len(captions) != 1:
        raise DataError(
            f"{where}: {len(captions)} tabs in {line[:60]!r}: a line is an image file, a tab and its caption"
        )
    path = expanded(name.strip())
    return Captioned(path if is_file(path) else folder / path, captions[0], where)


def _standard_lines() -> Iterator[str]:
    return (line.removesuffix("\n").removesuffix("\r") for line in sys.stdin)
