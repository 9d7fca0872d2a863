"""The texts a language model learns from: published ones, the demo, and one's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.registry import cache_dir, contents, expanded, locate, whole_split
from lstmdrop.data.spelling import LOOKED_AT, Spellings
from lstmdrop.data.text import BLOCK_BYTES, content_sha256, read_lines, require_text
from lstmdrop.data.vocabulary import EOS
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.datasets import DATASETS, DEMO, SPLITS, TEXT8
from lstmdrop_tasks.lm.demo import demo_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmdrop.config import Split

HELD_OUT = 20
"""One in so many lines or characters is for test, and as many are for validation."""


def split_by_lines(text: Path) -> Path:
    """The folder with ``train.txt``, ``valid.txt`` and ``test.txt``, the last 5 % of the lines the test.

    Raises:
        DataError: the text is missing, empty, not UTF-8 or of fewer than three lines.
    """
    folder = _cached(text, "lines")
    if not folder.is_dir():
        num_lines = sum(1 for _ in read_lines(text))
        if num_lines < 3:
            raise DataError(f"{text}: a text of {num_lines} line(s) cannot be split in three")
        held_out = max(1, num_lines // HELD_OUT)
        lines = read_lines(text)
        with atomic_folder(folder) as unfinished:
            _write_lines(unfinished / "train.txt", islice(lines, num_lines - 2 * held_out))
            _write_lines(unfinished / "valid.txt", islice(lines, held_out))
            _write_lines(unfinished / "test.txt", lines)
    return folder


def split_by_characters(text: Path) -> Path:
    """As `split_by_lines`, for an ASCII text of one line, such as text8: 90, 5 and 5 % of its characters.

    Raises:
        DataError: the text is missing or empty.
    """
    require_text(text)
    folder = _cached(text, "characters")
    if not folder.is_dir():
        size = text.stat().st_size
        held_out = size // HELD_OUT
        with text.open("rb") as handle, atomic_folder(folder) as unfinished:
            for split, length in (("train", size - 2 * held_out), ("valid", held_out), ("test", held_out)):
                with (unfinished / f"{split}.txt").open("wb") as part:
                    while length:
                        length -= part.write(handle.read(min(length, BLOCK_BYTES)))
    return folder


def _cached(text: Path, unit: str) -> Path:
    return cache_dir() / "corpora" / f"{unit}-{content_sha256(text)[:32]}"


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(f"{line}\n" for line in lines)


__all__ = ["DATASETS", "Corpus", "find_corpus"]

MARKS = frozenset(["<s>", "</s>", "<pad>", "<bos>"])
"""What other toolkits write into a text."""
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


def own_texts(path: Path) -> list[Path]:
    """The texts of one's own that a path names: a ``.txt`` file, or those of a folder's splits."""
    if path.is_file():
        return [path] if path.suffix == ".txt" else []
    named = (path / layout.format(split) for layout in LAYOUTS for split in SPLITS)
    return [text for text in named if text.is_file() and text.stat().st_size]


def own_oddities(path: Path) -> Iterator[str]:
    """A line about each thing in one's own texts that would be taken otherwise than was meant."""
    spellings = Spellings()
    for text in own_texts(path):
        yield from text_oddities(text, spellings)


def text_oddities(text: Path, spellings: Spellings | None = None) -> Iterator[str]:
    """A line about each thing in a text that a language model would take otherwise than was meant.

    It looks at the beginning of the text. ``spellings`` are those of the texts that are used with it.

    Raises:
        DataError: the text is missing, empty or not UTF-8.
    """
    seen: set[str] = set()
    spellings = spellings or Spellings()
    for number, line in enumerate(islice(read_lines(text), LOOKED_AT), 1):
        for kind, about in line_oddities(line):
            if kind not in seen:
                seen.add(kind)
                yield f"{text}:{number}: {about}"
        if "form" not in seen and (about := spellings.oddity(line, f"{text}:{number}")):
            seen.add("form")
            yield about


def line_oddities(line: str) -> Iterator[tuple[str, str]]:
    """What is odd about one line: its kind, and what to say."""
    *_, last = line.split() or [""]
    if last == EOS:
        yield EOS, f"the line ends in a literal {EOS}, and its end is one too: take it away (sed -i 's/ *<eos>$//')"
    for mark in MARKS.intersection(line.split()):
        yield mark, f"{mark} is a word like any other here; lines end in {EOS} by themselves"
    if "\r" in line:
        yield "\r", "a carriage return inside the line is no line end: convert it (tr '\\r' '\\n')"


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
