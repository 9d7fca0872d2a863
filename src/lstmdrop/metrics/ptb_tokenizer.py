"""Captions as the tokens that caption scores are made of: Penn Treebank's, in lower case, without punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lstmdrop.metrics.java import find_java
from lstmdrop.metrics.java_ptb import VERSION, java_tokens
from lstmdrop.metrics.python_ptb import python_tokens

PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""What pycocoevalcap takes out; brackets come in lower case (``-lrb-``), and so they stay."""

_LINE_BREAKS = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class TokenizedCaptions:
    """Captions with one blank between tokens."""

    lines: list[str]
    tokenizer: str
    """What made them, for signatures: ``java-3.4.1`` or ``python``."""


def tokenize_captions(captions: Sequence[str]) -> TokenizedCaptions:
    """Each caption's tokens as pycocoevalcap's PTBTokenizer makes them: in Java where there is one, else in Python.

    A line break inside a caption counts as a blank.

    Raises:
        DataError: Java gave back another number of lines.
    """
    if find_java() is None:
        return TokenizedCaptions([python_tokenize(caption) for caption in captions], "python")
    lines = java_tokens([_LINE_BREAKS.sub(" ", caption) for caption in captions])
    return TokenizedCaptions([without_punctuation(line) for line in lines], f"java-{VERSION}")


def python_tokenize(line: str) -> str:
    """One caption's tokens by the Python tokeniser, whatever is installed."""
    return without_punctuation(python_tokens(_LINE_BREAKS.sub(" ", line)))


def without_punctuation(line: str) -> str:
    """Tokens less those of `PUNCTUATION`."""
    return " ".join(token for token in line.rstrip().split(" ") if token not in PUNCTUATION)
