"""The parallel texts a model learns from: published ones, the demo, and one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstmdrop.data.registry import datasets_dir, locate
from lstmdrop.data.remote import local_place
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.mt.corpora.datasets import DATASETS, DEMO, IWSLT14, MULTI30K, TATOEBA, WMT14
from lstmdrop_tasks.mt.corpora.demo.sentences import PAIRS as DEMO_PAIRS
from lstmdrop_tasks.mt.corpora.demo.sentences import demo
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, choose_pair
from lstmdrop_tasks.mt.corpora.own import own_recipe
from lstmdrop_tasks.mt.corpora.parallel import ParallelCorpus, ParallelText
from lstmdrop_tasks.mt.corpora.published import (
    IWSLT14_PAIRS,
    MULTI30K_PAIRS,
    TATOEBA_PAIRS,
    WMT14_PAIRS,
    iwslt14,
    multi30k,
    tatoeba,
    wmt14,
)
from lstmdrop_tasks.mt.corpora.recipe import Recipe, make
from lstmdrop_tasks.mt.corpora.table import DEFAULT, TableLayout

if TYPE_CHECKING:
    from lstmdrop.config import Split

__all__ = ["DATASETS", "ParallelCorpus", "ParallelText", "find_corpus"]

PUBLISHED: Mapping[str, tuple[tuple[LanguagePair, ...], Callable[[Path, LanguagePair], Recipe]]] = {
    MULTI30K.name: (MULTI30K_PAIRS, multi30k),
    TATOEBA.name: (TATOEBA_PAIRS, tatoeba),
    WMT14.name: (WMT14_PAIRS, wmt14),
    IWSLT14.name: (IWSLT14_PAIRS, iwslt14),
}
"""The pairs of each dataset, its default first, and its recipe."""


def find_corpus(
    data: str,
    pair: str | None,
    data_dir: Path | None = None,
    layout: TableLayout = DEFAULT,
    scored: Sequence[Split] = (),
) -> ParallelCorpus:
    """The corpus of a known name, or of a path; made once, in the cache.

    ``pair`` such as ``"en-fr"`` says which languages, source first; without it the dataset's default, or for one's
    own texts what `lstmdrop_tasks.mt.corpora.own` makes of their names. ``layout`` is that of one's own tables. Of
    one's own data that is only to be ``scored`` no other split is looked for, and a table is that split as it is.

    Raises:
        ConfigError: the pair is none, or the data does not have it.
        DataError: nothing has this name, or the data is missing, damaged or not aligned.
    """
    return make(_recipe(data, pair, data_dir, layout, scored))


def _recipe(data: str, pair: str | None, data_dir: Path | None, layout: TableLayout, scored: Sequence[Split]) -> Recipe:
    if data == DEMO.name:
        return demo(choose_pair(data, pair, DEMO_PAIRS))
    if data in PUBLISHED:
        pairs, recipe = PUBLISHED[data]
        chosen = choose_pair(data, pair, pairs)
        return recipe(_folder(data, data_dir), chosen)
    if own := own_recipe(local_place(data), pair, layout, scored):
        return own
    raise DataError(_unknown(data))


def _folder(name: str, data_dir: Path | None) -> Path:
    try:
        return locate(name, data_dir)
    except DataError:
        if name != WMT14.name:
            raise
        # Its recipe says what to get and how large that is.
        return datasets_dir(data_dir) / name


def _unknown(data: str) -> str:
    names = [dataset.name for dataset in DATASETS]
    return (
        f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
        f"datasets: {', '.join(names)}; or give the path of a table of pairs, or of a folder with its three splits"
    )
