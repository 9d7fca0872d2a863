"""Parallel texts of one's own: a folder of three splits, or files in one piece that are split here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.archive import unpacked_name
from lstmdrop.data.registry import whole_split
from lstmdrop.data.rows import (
    NAMED_ENDINGS,
    TABLE_ENDINGS,
    ending_of,
    has_rows,
    matching_files,
    read_rows,
    split_files,
)
from lstmdrop.errors import ConfigError
from lstmdrop_tasks.mt.corpora.language_pair import UNNAMED, LanguagePair, pair_among, parse_pair
from lstmdrop_tasks.mt.corpora.markup import SGM_ENDINGS, XML_ENDINGS, xml_languages, xml_pairs
from lstmdrop_tasks.mt.corpora.parallel import PairBlocks, in_blocks, plain_side
from lstmdrop_tasks.mt.corpora.recipe import Counts, Recipe, SplitSource, from_sides
from lstmdrop_tasks.mt.corpora.sides import read_sides, require_file, side_files, side_languages, sides_of
from lstmdrop_tasks.mt.corpora.splitting import HELD_OUT, split_by_draw
from lstmdrop_tasks.mt.corpora.table import DEFAULT, TableLayout, named_columns, row_pairs, table_pairs

FILE_ENDINGS = (*TABLE_ENDINGS, *NAMED_ENDINGS, *XML_ENDINGS)
Sentence = tuple[str, ...]
"""A source and its translations."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Files of one shape, read one after the other."""

    pair: LanguagePair
    words: str
    """What is not as usual in how they are read."""
    read: Callable[[Path], Iterator[tuple[Split | None, Sentence]]]
    """Each sentence of a file, and the split that it says it is of."""

    def sentences(self, files: Sequence[Path]) -> Iterator[tuple[Split | None, Sentence]]:
        """Those of several files."""
        for path in files:
            yield from self.read(path)


def own_pieces(path: Path, pair: str | None, layout: TableLayout) -> Pieces:
    """How files such as this one are read.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: the file is missing or damaged.
    """
    ending = ending_of(path)
    if ending in XML_ENDINGS:
        languages = _chosen(path, pair, xml_languages(path))
        return Pieces(
            languages, "", lambda file: ((None, (source, *some)) for source, some in xml_pairs(file, languages))
        )
    if found := named_columns(path, pair, layout):
        columns, names = found.columns, f"; columns {found.columns[0]} and {found.columns[1]}"
        kind = "" if ending in NAMED_ENDINGS else "; cells may be quoted" if layout.of(path).quoted else ""
        return Pieces(found.pair, names + kind, lambda file: (
            (row.split, (source, *some)) for row, source, some in row_pairs(file, columns, layout)
        ))  # fmt: skip
    of_file = layout.of(path)
    return Pieces(
        _named(pair), str(of_file), lambda file: ((None, cells) for cells in table_pairs(plain_side(file), of_file))
    )


def own_recipe(
    path: Path, pair: str | None, layout: TableLayout = DEFAULT, scored: Sequence[Split] = ()
) -> Recipe | None:
    """How a corpus is made from a folder, from a file, or from those that a pattern matches; None: there are none.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: a file is missing or damaged.
        UsageError: data in one piece is to be scored as two splits.
    """
    if path.is_dir():
        return own_folder(path, pair, layout, scored)
    files = matching_files(path)
    return own_files(path, files, pair, layout, scored) if files else None


def own_folder(folder: Path, pair: str | None, layout: TableLayout = DEFAULT, scored: Sequence[Split] = ()) -> Recipe:
    """How a corpus is made from ``{train,valid,test}.{en,fr}``, say, or from a file a split (``train.jsonl``).

    Without a pair, the languages are what the file says, or the two endings that the training texts have, in the order
    of the alphabet. Splits that are only to be ``scored`` need no other beside them.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: a file is missing.
    """
    name, splits = folder.resolve().name, tuple(scored or SPLITS)
    files, texts = splits_of_rows(folder), side_files(folder)
    first = own_pieces(files[splits[0]][0], pair, layout) if splits[0] in files else None
    languages = first.pair if first else side_languages(folder, pair, splits[0], texts)
    inputs: list[Path] = []
    sources: dict[str, SplitSource] = {}
    for split in splits:
        if split in files:
            pieces = own_pieces(files[split][0], pair or _told(languages), layout)
            sources[split] = _whole(pieces, files[split])
            inputs += files[split]
            continue
        require_file(
            bool(texts[split]) or first is None, folder / f"{split}{ending_of(files[splits[0]][0]) if first else ''}"
        )
        both = [sides_of(folder, texts, split, language) for language in languages]
        sources[split] = from_sides(read_sides(*both))
        inputs += both[0] + both[1]
    words = f"as given, in three tables{first.words}" if first else "as given"
    is_marked = "; marked up" if any(ending_of(path) in SGM_ENDINGS for path in inputs) else ""
    return Recipe(name, languages, tuple(inputs), words + is_marked, sources)


def splits_of_rows(folder: Path) -> Mapping[Split, Sequence[Path]]:
    """The files of a folder that have rows, by their splits; none of what is no folder."""
    files = split_files(folder, FILE_ENDINGS) if folder.is_dir() else {}
    return {split: files[split] for split in SPLITS if split in files}


def splits_there(path: Path) -> list[Split]:
    """The splits that a folder has, or that the rows of a file say; of anything else, one.

    Raises:
        DataError: a row says another than there is.
    """
    if not path.is_dir():
        files = [file for file in matching_files(path) if has_rows(file)]
        says_splits = any(row.split for file in files[:1] for row in islice(read_rows(file), 1))
        said = {row.split for file in files for row in read_rows(file)} if says_splits else {"train"}
        return [split for split in SPLITS if split in said]
    rows, texts = splits_of_rows(path), side_files(path)
    return [split for split in SPLITS if split in rows or texts[split]]


def _told(languages: LanguagePair) -> str | None:
    return None if languages == UNNAMED else f"{languages.source}:{languages.target}"


def own_files(
    path: Path, files: Sequence[Path], pair: str | None, layout: TableLayout = DEFAULT, scored: Sequence[Split] = ()
) -> Recipe:
    """How a corpus is made from files in one piece: as their rows say, else by source sentence.

    What is only to be ``scored`` is that split, all of it; ``train`` is cleaned as in training.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: the file is missing or damaged.
        UsageError: two splits are to be scored.
    """
    pieces = own_pieces(files[0], pair, layout)
    name = unpacked_name(files[0]).stem
    says_splits = next((split for split, _ in pieces.sentences(files)), None) is not None
    if says_splits:
        said: dict[str, SplitSource] = {split: _of_split(pieces, files, split) for split in scored or SPLITS}
        return Recipe(name, pieces.pair, tuple(files), f"as the rows say{pieces.words}", said)
    if scored:
        source = _whole(pieces, files)
        split = whole_split(path, scored)
        return Recipe(name, pieces.pair, tuple(files), f"as given, in one table{pieces.words}", {split: source})
    share = f"{HELD_OUT:.0%}"
    words = f"by source sentence whatever its case and punctuation, {share} each for valid and test{pieces.words}"
    sources: dict[str, SplitSource] = {split: _drawn(pieces, files, split) for split in SPLITS}
    return Recipe(name, pieces.pair, tuple(files), words, sources)


def _named(pair: str | None) -> LanguagePair:
    return UNNAMED if pair is None else parse_pair(pair)


def _whole(pieces: Pieces, files: Sequence[Path]) -> SplitSource:
    return lambda _: in_blocks(sentence for _, sentence in pieces.sentences(files))


def _of_split(pieces: Pieces, files: Sequence[Path], split: Split) -> SplitSource:
    return lambda _: in_blocks(sentence for said, sentence in pieces.sentences(files) if said == split)


def _drawn(pieces: Pieces, files: Sequence[Path], split: str) -> SplitSource:
    def pairs(dropped: Counts) -> Iterator[Sentence]:
        for _, (source, *targets) in pieces.sentences(files):
            if split_by_draw(source) != split:
                continue
            if source.strip() and targets[0].strip():
                yield source, *targets
            else:
                dropped["empty"] += 1

    def blocks(dropped: Counts) -> PairBlocks:
        return in_blocks(pairs(dropped))

    return blocks


def _chosen(path: Path, pair: str | None, languages: Sequence[str]) -> LanguagePair:
    if pair is not None:
        found = pair_among(pair, languages)
        if found is None:
            raise ConfigError(f"{path} has no pair {pair!r}; its languages: {', '.join(languages)}")
        return found
    if len(languages) != 2:
        raise ConfigError(
            f"{path}: which are the two languages? there are: {', '.join(languages)}\n"
            "name the pair, source first: --pair en-fr"
        )
    return LanguagePair(*languages)
