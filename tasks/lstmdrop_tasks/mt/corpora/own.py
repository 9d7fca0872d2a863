"""Parallel texts of one's own: a folder of three splits, or one table that is split here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.data.registry import contents
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.language_pair import UNNAMED, LanguagePair, parse_pair
from lstmdrop_tasks.mt.corpora.parallel import PairBlocks, Side, in_blocks, plain_side
from lstmdrop_tasks.mt.corpora.recipe import SPLITS, Counts, Recipe, SplitSource, from_sides
from lstmdrop_tasks.mt.corpora.splitting import HELD_OUT, split_by_draw
from lstmdrop_tasks.mt.corpora.table import DEFAULT, ENDINGS, TableLayout, table_pairs

if TYPE_CHECKING:
    from lstmdrop.config import Split

LAYOUTS = (
    "a folder needs train, valid and test, each as two aligned texts (train.en, train.fr, ...)"
    " or as a .tsv or .csv table"
)


def own_folder(folder: Path, pair: str | None, layout: TableLayout = DEFAULT, scored: Sequence[Split] = ()) -> Recipe:
    """How a corpus is made from ``{train,valid,test}.{en,fr}``, say, or from ``{train,valid,test}.tsv`` (``.csv``).

    Without a pair, the languages are the two endings that the training texts have, in the order of the alphabet.
    Splits that are only to be ``scored`` need no other beside them.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: a file is missing.
    """
    name, splits = folder.resolve().name, scored or SPLITS
    if tables := own_tables(folder, splits):
        _require(tables)
        layout = layout.of(tables[0])
        sources = {split: _whole(plain_side(table), layout) for split, table in zip(splits, tables, strict=True)}
        return Recipe(name, _named(pair), tuple(tables), f"as given, in three tables{layout}", sources)
    languages = parse_pair(pair) if pair is not None else _detected(folder, splits[0])
    texts = {split: [folder / f"{split}.{language}" for language in languages] for split in splits}
    inputs = tuple(path for sides in texts.values() for path in sides)
    _require(inputs)
    sides = {split: from_sides([plain_side(path) for path in paths]) for split, paths in texts.items()}
    return Recipe(name, languages, inputs, "as given", sides)


def own_tables(folder: Path, splits: Sequence[str] = SPLITS) -> list[Path]:
    """The tables of a folder that holds such, one a split; none of a folder of texts."""
    ending = next((ending for ending in ENDINGS if (folder / f"{splits[0]}{ending}").is_file()), None)
    return [] if ending is None else [folder / f"{split}{ending}" for split in splits]


def whole_table(table: Path, pair: str | None, layout: TableLayout, split: Split) -> Recipe:
    """How one table is scored as ``split``: all of it; ``train`` is cleaned as in training.

    Raises:
        ConfigError: the pair is none.
    """
    layout = layout.of(table)
    source = _whole(plain_side(table), layout)
    return Recipe(table.stem, _named(pair), (table,), f"as given, in one table{layout}", {split: source})


def own_table(table: Path, pair: str | None, layout: TableLayout = DEFAULT) -> Recipe:
    """How a corpus is made from one table: each source sentence is drawn into one of the splits.

    Raises:
        ConfigError: the pair is none.
    """
    share = f"{HELD_OUT:.0%}"
    layout = layout.of(table)
    split = f"by source sentence whatever its case and punctuation, {share} each for valid and test{layout}"
    sources = {name: _drawn(plain_side(table), name, layout) for name in SPLITS}
    return Recipe(table.stem, _named(pair), (table,), split, sources)


def _named(pair: str | None) -> LanguagePair:
    return UNNAMED if pair is None else parse_pair(pair)


def _whole(table: Side, layout: TableLayout) -> SplitSource:
    return lambda _: in_blocks(table_pairs(table, layout))


def _drawn(table: Side, split: str, layout: TableLayout) -> SplitSource:
    def pairs(dropped: Counts) -> Iterator[tuple[str, str]]:
        for source, target in table_pairs(table, layout):
            if split_by_draw(source) != split:
                continue
            if source.strip() and target.strip():
                yield source, target
            else:
                dropped["empty"] += 1

    def blocks(dropped: Counts) -> PairBlocks:
        return in_blocks(pairs(dropped))

    return blocks


def _detected(folder: Path, split: str) -> LanguagePair:
    texts = [path for path in folder.glob(f"{split}.*") if path.is_file() and path.name.count(".") == 1]
    languages = sorted(path.suffix.removeprefix(".") for path in texts)
    if not languages:
        name = "training" if split == "train" else split
        raise DataError(f"{folder}: there is no {name} text in this folder\n{LAYOUTS}; {contents(folder)}")
    if len(languages) != 2:
        names = ", ".join(f"{split}.{language}" for language in languages)
        raise ConfigError(
            f"{folder}: the languages cannot be told from {names}\nname the pair, source first: --pair en-fr"
        )
    return LanguagePair(*languages)


def _require(paths: tuple[Path, ...] | list[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: no such file\n{LAYOUTS}; {contents(path.parent)}")
