"""The texts a language model learns from: published ones, the demo, and one's own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.data.registry import contents, expanded, locate, whole_split
from lstmdrop.data.text import require_text
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.datasets import DATASETS, DEMO, SPLITS, TEXT8
from lstmdrop_tasks.lm.demo import demo_folder
from lstmdrop_tasks.lm.splitting import split_by_characters, split_by_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmdrop.task import Split

__all__ = ["DATASETS", "Corpus", "find_corpus"]

LAYOUTS = ("{}.txt", "ptb.{}.txt", "wiki.{}.tokens")
"""How the files of a folder may be named."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text in its splits, each a file of one sentence or paragraph a line."""

    folder: Path
    layout: str
    """How its files are named."""
    advice: str
    """What to do where one is missing."""

    def text(self, split: Split) -> Path:
        """The file of a split.

        Raises:
            DataError: it is missing or empty.
        """
        return _require(self.folder / self.layout.format(split), self.advice)


def find_corpus(data: str, data_dir: Path | None = None, scored: Sequence[Split] = ()) -> Corpus:
    """The files of a known name, or of a path; one that is never asked for may be missing.

    A folder has ``train.txt``, ``valid.txt`` and ``test.txt`` (or those files under their published names);
    one text file is split by its lines, the last twentieth for test and the one before for validation. What
    has to be made is made once, in the cache. Where it is only to be ``scored``, a file is that split as it is.

    Raises:
        DataError: nothing has this name, or the file to be split is empty or not UTF-8.
    """
    if data == DEMO.name:
        return _in_folder(demo_folder(), "remove its folder and run again")
    if data in {dataset.name for dataset in DATASETS}:
        return _published(data, locate(data, data_dir))
    path = expanded(data)
    if path.is_dir():
        advice = (
            f"a folder needs train.txt, valid.txt and test.txt; to score one split, that one alone\n{contents(path)}"
        )
        return _in_folder(path, advice)
    if path.is_file() and scored:
        whole_split(path, scored)
        return Corpus(path.parent, path.name.replace("{", "{{").replace("}", "}}"), "")
    if path.is_file():
        return _in_folder(split_by_lines(path), "remove its folder and run again")
    raise DataError(_unknown(data))


def _published(name: str, folder: Path) -> Corpus:
    advice = f"get it with: lstmdrop data prepare {name}"
    if name == TEXT8.name:
        folder = split_by_characters(_require(folder / TEXT8.files[0].name, advice))
    return _in_folder(folder, advice)


def _in_folder(folder: Path, advice: str) -> Corpus:
    files = {layout: [folder / layout.format(split) for split in SPLITS] for layout in LAYOUTS}
    found = (layout for layout, paths in files.items() if any(path.is_file() for path in paths))
    return Corpus(folder, next(found, LAYOUTS[0]), advice)


def _require(path: Path, advice: str) -> Path:
    try:
        require_text(path)
    except DataError as error:
        raise DataError(f"{error}\n{advice}".rstrip()) from None
    return path


def _unknown(data: str) -> str:
    names = [dataset.name for dataset in DATASETS]
    nearest = difflib.get_close_matches(data, names, n=1)
    suggestion = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return (
        f"{data!r} is neither a dataset nor a file or folder here{suggestion}\n"
        f"datasets: {', '.join(names)}; or give the path of a text file, or of a folder with its three splits"
    )
