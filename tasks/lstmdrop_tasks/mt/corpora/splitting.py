"""Which split a sentence belongs to: it depends on the sentence alone, so that no split shares one with another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

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
