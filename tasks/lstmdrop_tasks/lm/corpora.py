"""The texts a language model learns from: published ones, the demo, and one's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.config import SPLITS
from lstmdrop.data.archive import PACKED_ENDINGS, unpacked_name
from lstmdrop.data.parquet import PARQUET
from lstmdrop.data.registry import contents, locate, whole_split
from lstmdrop.data.remote import local_place
from lstmdrop.data.rows import (
    JSON_ENDINGS,
    ROW_ENDINGS,
    TABLE_ENDINGS,
    Row,
    ending_of,
    files_below,
    has_rows,
    is_pattern,
    matching_files,
    no_match,
    read_rows,
    split_files,
    split_folders,
)
from lstmdrop.data.spelling import LOOKED_AT, Spellings
from lstmdrop.data.text import read_lines, require_text
from lstmdrop.data.vocabulary import EOS
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.datasets import DATASETS, DEMO, TEXT8
from lstmdrop_tasks.lm.demo import demo_folder
from lstmdrop_tasks.lm.plain import Written, plain_text, split_by_characters, split_by_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmdrop.config import Split

__all__ = ["DATASETS", "Corpus", "find_corpus"]

MARKS = frozenset(["<s>", "</s>", "<pad>", "<bos>"])
"""What other toolkits write into a text."""
LAYOUTS = ("{}.txt", "ptb.{}.txt", "wiki.{}.tokens")
"""How the files of a folder may be named."""
ENDINGS = (".txt", ".tokens", *ROW_ENDINGS)
KIND_OF = {**dict.fromkeys(JSON_ENDINGS, "JSON"), **{ending: f"a table ({ending})" for ending in TABLE_ENDINGS},
           PARQUET: "Parquet"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text in its splits, each a file of one sentence or paragraph a line."""

    folder: Path
    layout: str
    """How its files are named."""
    advice: str
    """What to do where one is missing."""
    unpacked: Mapping[Split, Written] = field(default_factory=dict)
    """Splits that are written in another way than as plain text."""
    has_columns: bool = False
    """Whether it comes out of tables or JSON lines."""

    def text(self, split: Split) -> Path:
        """The file of a split; one that has to be made of others is made once, in the cache.

        Raises:
            DataError: it is missing, empty or damaged.
        """
        if split in self.unpacked:
            return plain_text(self.unpacked[split])
        return _require(self.folder / self.layout.format(split), self.advice)


def prepare_own(data: str, column: str | None = None) -> Mapping[str, Path]:
    """The text of each split of one's own text, made now and not when it is first used.

    Raises:
        DataError: as `find_corpus`.
    """
    corpus = find_corpus(data, column=column)
    return {split: corpus.text(split) for split in SPLITS}


def text_oddities(text: Path, spellings: Spellings | None = None) -> Iterator[str]:
    """A line about each thing in a text that a language model would take otherwise than was meant.

    It looks at the beginning of the text. ``spellings`` are those of the texts that are used with it.

    Raises:
        DataError: the text is missing, empty or not UTF-8.
    """
    return oddities_of(((line, f"{text}:{number}") for number, line in enumerate(read_lines(text), 1)), spellings)


def oddities_of(lines: Iterable[tuple[str, str]], spellings: Spellings | None = None) -> Iterator[str]:
    """As `text_oddities`, of lines that are given each with its place."""
    seen: set[str] = set()
    spellings = spellings or Spellings()
    for line, place in islice(lines, LOOKED_AT):
        for kind, about in line_oddities(line):
            if kind not in seen:
                seen.add(kind)
                yield f"{place}: {about}"
        if "form" not in seen and (about := spellings.oddity(line, place)):
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


def find_corpus(
    data: str, data_dir: Path | None = None, scored: Sequence[Split] = (), column: str | None = None
) -> Corpus:
    """The files of a known name, or of a path; one that is never asked for may be missing.

    A folder has ``train.txt``, ``valid.txt`` and ``test.txt`` (or those files under their published names, packed, or
    as rows: see `lstmdrop.data.rows.split_files`), or a folder for each; one text file, those that a pattern matches,
    or those of a folder in which nothing is named as a split, are split by their lines, the last twentieth for test and
    the one before for validation, unless its rows say their splits. What has to be made is made once, in the cache.
    Where it is only to be ``scored``, a file is that split as it is. ``column`` is that of the text, where there are
    columns. An address such as ``s3://bucket/texts/*.jsonl.gz`` is that of a file, a folder or a pattern too.

    Raises:
        DataError: nothing has this name, or the file to be split is empty or not UTF-8.
    """
    if data == DEMO.name:
        return _in_folder(demo_folder(), "remove its folder and run again")
    if data in {dataset.name for dataset in DATASETS}:
        return _published(data, locate(data, data_dir))
    path = local_place(data)
    if path.is_dir():
        return _own_folder(path, column, scored)
    if files := matching_files(path):
        return _own_files(path, tuple(files), column, scored)
    raise DataError(no_match(path) if is_pattern(path) else _unknown(data))


def _own_folder(folder: Path, column: str | None, scored: Sequence[Split]) -> Corpus:
    advice = (
        "a folder needs train.txt, valid.txt and test.txt, or texts without these names; to score one split, that one "
        f"alone\n{contents(folder)}"
    )
    corpus = _in_folder(folder, advice)
    found = split_files(folder, ENDINGS) or split_folders(folder, ENDINGS)
    if not found and (whole := files_below(folder, ENDINGS)):
        return _own_files(folder, tuple(whole), column, scored)
    files = {split: found[split] for split in SPLITS if split in found and not _is_plain(corpus, split)}
    for parts in files.values():
        _require_one_kind(parts)
    unpacked: dict[Split, Written] = {split: Written(tuple(files[split]), column) for split in SPLITS if split in files}
    return Corpus(folder, corpus.layout, advice, unpacked, any(map(has_rows, chain(*files.values()))))


def _is_plain(corpus: Corpus, split: Split) -> bool:
    return (corpus.folder / corpus.layout.format(split)).is_file()


def _own_files(path: Path, files: tuple[Path, ...], column: str | None, scored: Sequence[Split]) -> Corpus:
    _require_one_kind(files)
    whole, rows = Written(files, column), any(map(has_rows, files))
    splits = {row.split for file in files if has_rows(file) for row in _first_rows(file)}
    if splits - {None}:
        parts: dict[Split, Written] = {split: Written(files, column, split) for split in SPLITS}
        return Corpus(path.parent, path.name, "", parts, rows)
    if scored:
        split = whole_split(path, scored)
        (first, *others), name = files, files[0].name.replace("{", "{{").replace("}", "}}")
        is_plain = not others and not rows and first.suffix not in PACKED_ENDINGS
        return Corpus(first.parent, name, "", {} if is_plain else {split: whole}, rows)
    return replace(_in_folder(split_by_lines(whole), "remove its folder and run again"), has_columns=rows)


def _require_one_kind(files: Sequence[Path]) -> None:
    """Texts that are read as one are of one kind: who has others beside them would not know what was trained on."""
    kinds: dict[str, Path] = {}
    for file in files:
        kinds.setdefault(KIND_OF.get(ending_of(file), "lines of text"), file)
    if len(kinds) > 1:
        (one, first), (other, second), *_ = kinds.items()
        ending = first.name.removeprefix(unpacked_name(first).stem)
        raise DataError(
            f"{first} is {one} and {second} is {other}: texts that are read as one are of one kind\n"
            f"choose with a pattern: --data '{first.parent}/*{ending}'"
        )


def _first_rows(path: Path) -> Iterator[Row]:
    return islice(read_rows(path), 1)


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
