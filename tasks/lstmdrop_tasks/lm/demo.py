"""A small corpus of real English that needs no network: the prose of Python's own documentation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from lstmdrop.data.atomic import atomic_file, atomic_folder
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError

CODE = "<code>"
"""Stands for a quoted expression, as ``N`` does for a number."""

DOUBLE_QUOTES = str.maketrans({"“": '"', "”": '"', "’": "'", "‘": "'", "…": "..."})
FOOTNOTE = re.compile(r"\s?\[\d+\]")
QUOTED = re.compile(r'"([^"]+)"')
QUOTED_NAME = re.compile(r"([A-Za-z_][\w.]*)(\(\))?")
QUOTED_PHRASE = re.compile(r"[A-Za-z][A-Za-z ,'-]*")
EMPHASIS = re.compile(r"\*+([^*\s](?:[^*]*[^*\s])?)\*+")
SPACE_BEFORE = re.compile(r"\s+([.,;:)!?])")
SENTENCE_END = re.compile(r"(?<=[.!?])\)? (?=[A-Z(<_])")
TOKEN = re.compile(rf"{CODE}|\d[\d.,]*\d|\d|[A-Za-z_]\w*(?:[.'/-]\w+)*|\.\.\.|[^\w\s]")
WORD = re.compile(r"[a-z][a-z'-]*")

MIN_WORDS = 4
MIN_WORD_SHARE = 0.6


def sentences(passage: str) -> Iterator[str]:
    """The real sentences of a passage: lower-case, tokens apart, numbers ``N``, quoted code ``<code>``."""
    for sentence in SENTENCE_END.split(_plain(passage)):
        tokens = [_normal(token) for token in TOKEN.findall(sentence)]
        if _is_sentence(sentence, tokens):
            yield " ".join(tokens)


def _plain(passage: str) -> str:
    """The passage on one line, without footnote marks, quotes and emphasis."""
    text = " ".join(passage.split()).translate(DOUBLE_QUOTES)
    text = text.replace('""', '"').replace("e.g.", "eg").replace("i.e.", "ie")
    text = QUOTED.sub(_unquoted, FOOTNOTE.sub("", text))
    return " ".join(SPACE_BEFORE.sub(r"\1", EMPHASIS.sub(r"\1", text)).split())


def _unquoted(match: re.Match[str]) -> str:
    name = QUOTED_NAME.fullmatch(match[1])
    if name:
        return f" {name[1]} "
    return match[1] if QUOTED_PHRASE.fullmatch(match[1]) else f" {CODE} "


def _normal(token: str) -> str:
    return "N" if token[0].isdigit() else token.lower()


def _is_sentence(sentence: str, tokens: list[str]) -> bool:
    num_words = sum(WORD.fullmatch(token) is not None for token in tokens)
    if num_words < MIN_WORDS or num_words < MIN_WORD_SHARE * len(tokens):
        return False
    return sentence[0].isupper() and sentence[-1] in ".!?:" and not {"|", "="} & set(tokens)


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
