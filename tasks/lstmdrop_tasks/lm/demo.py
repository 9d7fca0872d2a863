"""A small corpus of real English that needs no network: the prose of Python's own documentation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from lstmdrop.data.atomic import atomic_file, atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.prose import sentences

Passages = Iterator[list[str]]

NGRAM = 8
"""Words that two sentences must share in a row for one to count as a copy of the other."""

MARKUP = re.compile(r"::=|>>>|\+--|\|  |====|\*\*\*\*|----|^\s*(#|\*\*PEP)", re.MULTILINE)
"""Grammar, sessions, tables, headings, comments and reference lists: no prose."""

BOILERPLATE = re.compile(r"\s*(Changed in|New in|Added in|Deprecated since|See also|Raises an auditing)")


def demo_folder() -> Path:
    """The folder with the demo's three files, made in the cache when it is not there yet.

    Raises:
        DataError: this Python comes without its documentation.
    """
    splits = _splits()
    content = hashlib.sha256(repr(splits).encode()).hexdigest()
    folder = cache_dir() / "corpora" / f"demo-{content[:32]}"
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            _write(splits, unfinished)
    return folder


def write_demo(folder: Path) -> None:
    """Write ``train.txt``, ``valid.txt`` and ``test.txt``: lower-case, one tokenised sentence a line.

    Python's documentation says many things more than once, so a sentence that shares eight words in a row
    with an earlier one is left out before the passages are dealt out: nothing in one split is a copy from
    another. The same version of Python gives the same text; another's documentation differs a little.

    Raises:
        DataError: this Python comes without its documentation.
    """
    _write(_splits(), folder)


def _splits() -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for passage in _without_copies(_passages()):
        splits[_split_of(passage)].extend(passage)
    return splits


def _write(splits: dict[str, list[str]], folder: Path) -> None:
    for split, lines in splits.items():
        with atomic_file(folder / f"{split}.txt") as handle:
            handle.write("".join(f"{line}\n" for line in lines).encode())


def _passages() -> Passages:
    for text in _topics():
        for passage in text.split("\n\n"):
            if not MARKUP.search(passage) and not BOILERPLATE.match(passage):
                yield list(sentences(passage))


def _topics() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "the demo corpus is made from pydoc_data, which this Python lacks\n"
            "install Python's full standard library, or use a text of your own: --data FILE"
        ) from None
    return [topics[name] for name in sorted(topics)]


def _without_copies(passages: Passages) -> Passages:
    seen: set[tuple[str, ...]] = set()
    for passage in passages:
        kept = []
        for sentence in passage:
            ngrams = _ngrams(sentence)
            if seen.isdisjoint(ngrams):
                seen |= ngrams
                kept.append(sentence)
        if kept:
            yield kept


def _ngrams(sentence: str) -> set[tuple[str, ...]]:
    words = sentence.split()
    return {tuple(words[start : start + NGRAM]) for start in range(max(1, len(words) - NGRAM + 1))}


def _split_of(passage: list[str]) -> str:
    """Eight passages in ten train, one validates, one tests; which is which depends on the passage alone."""
    draw = int(hashlib.sha256(passage[0].encode()).hexdigest(), 16) % 10
    return {0: "valid", 1: "test"}.get(draw, "train")
