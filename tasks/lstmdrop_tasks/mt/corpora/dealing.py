"""A table with many translations of a sentence, dealt out so that no split shares a sentence with another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from typing import NamedTuple

from lstmdrop_tasks.mt.corpora.splitting import hold_out, sentence_key

Pair = tuple[str, str]


class Deal(NamedTuple):
    """What one split gets."""

    pairs: list[Pair]
    left_out: Counter[str]
    """Pairs whose source is of this split: ``further_translation`` if another pair stands for the sentence,
    ``translation_elsewhere`` if the target is in a held-out split that came first."""


class _Row(NamedTuple):
    source: str
    target: str
    pair: Pair


def deal(pairs: Iterable[Pair], num_held_out: int) -> dict[str, Deal]:
    """Deal out the source sentences, those that differ in case and punctuation alone as one.

    Test and validation have ``num_held_out`` sentences each (see `hold_out`), with the first translation each.
    Test comes first, then validation, then training; a target that is in a held-out split comes in none after it.
    """
    rows = [_Row(sentence_key(source), sentence_key(target), (source, target)) for source, target in pairs]
    valid, test = hold_out((row.source for row in rows), num_held_out)
    taken: set[str] = set()
    dealt = {}
    for split, sources in (("test", test), ("valid", valid)):
        dealt[split] = _one_each([row for row in rows if row.source in sources], taken)
        taken.update(sentence_key(target) for _, target in dealt[split].pairs)
    held_out = valid | test
    kept, left_out = _free([row for row in rows if row.source not in held_out], taken)
    return {"train": Deal([row.pair for row in kept], left_out), **dealt}


def _one_each(rows: list[_Row], taken: Set[str]) -> Deal:
    free, left_out = _free(rows, taken)
    first: dict[str, Pair] = {}
    for row in free:
        first.setdefault(row.source, row.pair)
    left_out["further_translation"] = len(free) - len(first)
    return Deal(list(first.values()), left_out)


def _free(rows: list[_Row], taken: Set[str]) -> tuple[list[_Row], Counter[str]]:
    free = [row for row in rows if row.target not in taken]
    return free, Counter(translation_elsewhere=len(rows) - len(free))
