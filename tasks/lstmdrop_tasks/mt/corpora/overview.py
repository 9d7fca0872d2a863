"""How large a parallel text of one's own is, what comes again in it, and what of its test it was trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from lstmdrop.config import SPLITS
from lstmdrop.data.spelling import LOOKED_AT as NUM_ROWS
from lstmdrop.data.spelling import Spellings
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.metrics.bleu_tokenizer import tokenizer_for
from lstmdrop_tasks.mt.corpora.oddities import (
    MOST_COLUMNS,
    NEARLY_ALL,
    first_side,
    numbered,
    oddities,
    table_in,
    text_sides,
)
from lstmdrop_tasks.mt.corpora.own import own_recipe, splits_of_rows, splits_there
from lstmdrop_tasks.mt.corpora.parallel import HASH_BYTES, Hashes, PairBlock, PairBlocks, pair_hashes, plain_side
from lstmdrop_tasks.mt.corpora.recipe import Counts
from lstmdrop_tasks.mt.corpora.sides import side_files, side_languages
from lstmdrop_tasks.mt.corpora.splitting import sentence_key
from lstmdrop_tasks.mt.corpora.table import DEFAULT, table_rows

LANGUAGE = re.compile(r"[a-z]{2,3}([-_]\w+)*", re.IGNORECASE)
WITHOUT_BLANKS = ("zh", "ja-mecab", "char")
"""BLEU's tokenisers of languages whose sentences are counted in characters."""


def is_parallel(path: Path) -> bool:
    """Whether this looks like a parallel text: two texts of a split, a table of a few columns, or JSON lines of two."""
    try:
        table = table_in(path)
        if table is None:
            return len(_pairs_in(path)) > 1 or own_recipe(path, None, scored=splits_there(path)) is not None
        rows = [cells for _, cells in islice(table_rows(plain_side(table), DEFAULT.of(table)), NUM_ROWS)]
    except (DataError, ConfigError):
        return False
    return sum(1 < len(cells) <= MOST_COLUMNS for cells in rows) > NEARLY_ALL * len(rows)


def own_oddities(path: Path) -> Iterator[str]:
    """What is in a parallel text of one's own, and a line about each thing that looks wrong; of any other file none."""
    if not is_parallel(path):
        return
    try:
        for pair in _pairs_in(path):
            yield from describe_pairs(path, pair)
            yield from oddities(str(path), pair)
        yield from _spelt_otherwise_in_a_split(path)
    except (DataError, ConfigError) as error:
        yield str(error)


def _pairs_in(path: Path) -> Sequence[str | None]:
    """Each two languages of a folder that has texts in more; of anything else, what it says itself."""
    texts = side_files(path) if path.is_dir() and not splits_of_rows(path) else {}
    codes = next((sorted(languages) for languages in texts.values() if languages), [])
    if len(codes) < 3 or text_sides(path, None) or not all(map(LANGUAGE.fullmatch, codes)):
        return [None]
    return [f"{source}:{target}" for source, target in combinations(codes, 2)]


def _spelt_otherwise_in_a_split(folder: Path) -> Iterator[str]:
    """Of the texts of a language, where they write a letter in other code points; training says it of any text."""
    if not folder.is_dir() or not text_sides(folder, None):
        return
    found = side_files(folder)
    for language in side_languages(folder, None, next(split for split in SPLITS if found[split]), found):
        spellings = Spellings()
        texts = [side for split in SPLITS if found[split] for side in first_side(folder, found, split, language)]
        alone = spellings.first_oddity(numbered(texts[0]))
        if not alone:
            yield from spellings.first_oddity(line for text in texts[1:] for line in numbered(text))


def describe_pairs(path: Path, pair: str | None = None) -> Iterator[str]:
    """A line about each split, the training first: sizes and lengths, what comes again, what training has seen.

    Raises:
        ConfigError: the languages cannot be told.
        DataError: a text is missing, damaged or not aligned.
    """
    trained: _Seen | None = None
    splits = splits_there(path)
    for split in splits:
        recipe = own_recipe(path, pair, scored=[split])
        if recipe is None:
            return
        for name, source in recipe.sources.items():
            seen = _Seen(recipe.pair, source(Counts()))
            whole = name if path.is_dir() or len(splits) > 1 else "pairs"
            yield f"{path}, {whole}: {seen}{'' if trained is None else seen.beside(trained)}"
            trained = trained or (seen if name == "train" else None)


class _Seen:
    """What is counted of a split's pairs."""

    def __init__(self, languages: tuple[str, str], blocks: PairBlocks) -> None:
        self.languages = languages
        self.num_pairs = self.num_references = 0
        self._counts = Counter[str]()
        self._lengths = [0, 0]
        self._longest = [0, 0]
        self._units = ["", ""]
        self.words: list[Counter[str]] = [Counter(), Counter()]
        pairs: list[bytes] = []
        sources: list[bytes] = []
        for block in blocks:
            self._add(block)
            pairs.append(pair_hashes(block))
            sources.append(b"".join(_hash(sentence_key(line)) for line in block.sources))
        self.pairs, self.sources = (np.frombuffer(b"".join(each), np.uint64) for each in (pairs, sources))

    def _add(self, block: PairBlock) -> None:
        self.num_pairs += len(block.sources)
        self.num_references = max(self.num_references, 1 + len(block.more))
        for place, (language, lines) in enumerate(zip(self.languages, (block.sources, block.targets), strict=True)):
            if not self._units[place]:
                has_blanks = tokenizer_for(language, lines) not in WITHOUT_BLANKS
                self._units[place] = "words" if has_blanks else "characters"
            for line in lines:
                words = line.split() if self._units[place] == "words" else list("".join(line.split()))
                self.words[place].update(words)
                self._lengths[place] += len(words)
                self._longest[place] = max(self._longest[place], len(words))
        for source, target in zip(block.sources, block.targets, strict=True):
            self._counts["with an empty side"] += not (source.strip() and target.strip())
            self._counts["the same on both sides"] += source.strip() == target.strip() != ""

    def __str__(self) -> str:
        sides = ", ".join(
            f"{language} {length / max(1, self.num_pairs):.1f} {unit} a sentence (at most {longest:,})"
            for language, length, unit, longest in zip(
                self.languages, self._lengths, self._units, self._longest, strict=True
            )
        )
        again = self.num_pairs - len(np.unique(self.pairs))
        counts = {"that came before": again, **self._counts}
        found = [f"{count:,} pairs {what}" for what, count in counts.items() if count]
        more = [f"up to {self.num_references} references"] if self.num_references > 1 else []
        return "; ".join([f"{self.num_pairs:,} pairs", sides, *more, *found])

    def beside(self, trained: _Seen) -> str:
        """Of what training has seen, and what it has not."""
        rates = []
        for language, words, known in zip(self.languages, self.words, trained.words, strict=True):
            unknown = sum(count for word, count in words.items() if word not in known)
            rates.append(f"{language} {unknown / max(1, words.total()):.1%}")
        said = [f"{' and '.join(rates)} not in the training text"]
        pairs, sources = _num_among(self.pairs, trained.pairs), _num_among(self.sources, trained.sources)
        if sources:
            said.append(
                f"{sources:,} of its {self.num_pairs:,} sources are in training too, {pairs:,} with the same "
                "translation: scores on them are no scores of what is new"
            )
        return "; " + "; ".join(said)


def _num_among(some: Hashes, others: Hashes) -> int:
    return int(np.isin(some, others).sum())


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=HASH_BYTES).digest()
