"""English sentences out of marked-up documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
