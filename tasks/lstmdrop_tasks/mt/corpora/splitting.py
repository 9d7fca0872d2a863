"""Which split a sentence belongs to: it depends on the sentence alone, so that no split shares one with another."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Set
from hashlib import blake2b
from typing import NamedTuple

from lstmdrop.metrics.word_error_rate import MARKS

WORD = re.compile(rf"[\w{MARKS}]+")
SEED = 0
HELD_OUT = 0.05
"""The share of the sentences that is for test; as many are for validation."""


def sentence_key(sentence: str) -> str:
    """What a sentence shares with those that differ from it in case, punctuation and spacing alone."""
    words = WORD.findall(unicodedata.normalize("NFKC", sentence).casefold())
    return " ".join(words) or sentence


def split_by_draw(sentence: str) -> str:
    """``train``, ``valid`` or ``test``: nine sentences in ten train."""
    share = _draw(sentence_key(sentence)) / 2**64
    return "test" if share < HELD_OUT else "valid" if share < 2 * HELD_OUT else "train"


def hold_out(keys: Iterable[str], num_held_out: int) -> tuple[frozenset[str], frozenset[str]]:
    """So many of the keys for validation and as many others for test, drawn from all of them.

    Of fewer than ten times as many keys, a twentieth each.
    """
    shuffled = sorted(set(keys), key=_draw)
    size = min(num_held_out, max(1, int(HELD_OUT * len(shuffled))))
    return frozenset(shuffled[size : 2 * size]), frozenset(shuffled[:size])


def _draw(key: str) -> int:
    return int.from_bytes(blake2b(f"{SEED} {key}".encode(), digest_size=8).digest(), "big")


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
