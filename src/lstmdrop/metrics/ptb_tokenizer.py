"""Captions as the tokens that caption scores are made of: Penn Treebank's, in lower case, without punctuation."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from lstmdrop.metrics.java import JavaError, find_java, java_problem
from lstmdrop.metrics.java_ptb import VERSION, java_tokens, try_java_tokens
from lstmdrop.metrics.python_ptb import STANFORD_DROPS, python_tokens

PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""What pycocoevalcap takes out; brackets come in lower case (``-lrb-``), and so they stay."""

log = logging.getLogger("lstmdrop.metrics")

_LINE_BREAKS = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class TokenizedCaptions:
    """Captions with one blank between tokens."""

    lines: list[str]
    tokenizer: str
    """What made them, for signatures: ``java-3.4.1`` or ``python``."""


def tokenize_captions(captions: Sequence[str]) -> TokenizedCaptions:
    """Each caption's tokens as pycocoevalcap's PTBTokenizer makes them: in Java where one runs, else in Python.

    Both make the same tokens of every caption of Flickr8k. A line break inside a caption counts as a blank. Scripts
    whose vowel signs Stanford's tokeniser drops are left to the Python one.
    """
    is_dropped = any(map(STANFORD_DROPS.search, captions))
    java = None if is_dropped else java_tokenizer()
    if java is not None:
        try:
            lines = java_tokens([_LINE_BREAKS.sub(" ", caption) for caption in captions])
            return TokenizedCaptions([without_punctuation(line) for line in lines], f"java-{VERSION}")
        except JavaError as error:
            log.warning("%s stopped (%s): these captions are tokenised in Python", java, error)
    return TokenizedCaptions([python_tokenize(caption) for caption in captions], "python")


def java_tokenizer() -> str | None:
    """The path of a ``java`` that has been seen to tokenise; one that cannot is named, once a process."""
    java = find_java()
    return None if java is None or not _tokenizes(java) else java


@cache
def _tokenizes(java: str) -> bool:
    problem = java_problem(java, try_java_tokens)
    if problem is not None:
        log.warning("%s does not run (%s): captions are tokenised in Python", java, problem)
    return problem is None


def python_tokenize(line: str) -> str:
    """One caption's tokens by the Python tokeniser, whatever is installed."""
    return without_punctuation(python_tokens(_LINE_BREAKS.sub(" ", line)))


def without_punctuation(line: str) -> str:
    """Tokens less those of `PUNCTUATION`."""
    return " ".join(token for token in line.rstrip().split(" ") if token not in PUNCTUATION)
