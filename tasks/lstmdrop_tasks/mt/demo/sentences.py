"""A small parallel corpus that needs no network: English sentences from a grammar, with their French."""

from __future__ import annotations

import hashlib
from random import Random

from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.parallel import in_blocks
from lstmdrop_tasks.mt.corpora.recipe import Recipe, SplitSource
from lstmdrop_tasks.mt.demo.clause import draw_sentence

PAIRS = both_ways("en-fr")
SIZES = {"train": 6000, "valid": 300, "test": 300}
SEED = 0
NUM_WORDS = range(4, 11)
"""Words an English sentence may have."""


def demo(pair: LanguagePair) -> Recipe:
    """How the corpus is made; the same everywhere."""
    splits = demo_sentences()
    content = hashlib.sha256(repr(splits).encode()).hexdigest()
    return Recipe(
        name="demo",
        pair=pair,
        inputs=(),
        split=f"drawn from a grammar, no sentence of either language twice; content {content[:16]}",
        sources={split: _source(pairs, pair) for split, pairs in splits.items()},
    )


def demo_sentences() -> dict[str, list[tuple[str, str]]]:
    """The English and French sentences of each split; no sentence of either language comes twice in them all."""
    rng = Random(SEED)
    seen: set[str] = set()
    pairs: list[tuple[str, str]] = []
    while len(pairs) < sum(SIZES.values()):
        english, french = draw_sentence(rng)
        if len(english.split()) in NUM_WORDS and seen.isdisjoint((english, french)):
            seen.update((english, french))
            pairs.append((english, french))
    drawn = iter(pairs)
    return {split: [next(drawn) for _ in range(size)] for split, size in SIZES.items()}


def _source(pairs: list[tuple[str, str]], pair: LanguagePair) -> SplitSource:
    ordered = pairs if pair.source == "en" else [(french, english) for english, french in pairs]
    return lambda _: in_blocks(iter(ordered))
