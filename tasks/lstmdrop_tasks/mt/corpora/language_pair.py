"""From which language into which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from lstmdrop.errors import ConfigError, DataError
from lstmdrop.parsing import read_document

CODE = re.compile(r"\w+(-\w+)*")
TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?")
"""A language code as BCP 47 writes it, with a script or a region behind it: ``pt-BR``, ``zh-Hans``."""
LONGEST = 100
"""Characters of a pair: its subtags can be parted in ever more ways."""
PAIR = "pair.txt"


class LanguagePair(NamedTuple):
    """The language translated from and the one translated into, by their codes."""

    source: str
    target: str

    def __str__(self) -> str:
        between = "-" if _split_at_hyphen(f"{self.source}-{self.target}") == [self] else ":"
        return f"{self.source}{between}{self.target}"


UNNAMED = LanguagePair("src", "tgt")
"""The languages of a table that nobody has named."""


def save_pair(assets: Path, pair: LanguagePair) -> None:
    """Note what a model translates, which its configuration leaves to the data where it names no pair."""
    (assets / PAIR).write_text(f"{pair}\n", encoding="utf-8")


def saved_pair(assets: Path) -> str | None:
    """What `save_pair` noted; None where nothing was, or only that the languages have no names.

    Raises:
        DataError: it is damaged.
    """
    path = assets / PAIR
    try:
        pair = read_document(path).decode().strip() if path.exists() else str(UNNAMED)
        parse_pair(pair)
    except (OSError, ValueError, ConfigError) as error:
        raise DataError(f"{path}: the languages cannot be read ({error})") from None
    return None if pair == str(UNNAMED) else pair


def languages_of(pair: str | None, assets: Path) -> LanguagePair | None:
    """What a model translates: as ``pair`` says, in the codes that were noted; None where the languages have no names.

    Raises:
        ConfigError: the pair is none.
    """
    saved = saved_pair(assets)
    noted = None if saved is None else parse_pair(saved)
    if pair is None:
        return noted
    return (None if noted is None else pair_among(pair, noted)) or parse_pair(pair)


def languages(assets: Path) -> Sequence[str]:
    """The codes of a trained model, the source's first; none where they have no names."""
    pair = saved_pair(assets)
    return () if pair is None else parse_pair(pair)


def parse_pair(text: str) -> LanguagePair:
    """``"en-fr"`` as a pair, ``"en-pt-BR"`` too; codes that hyphens cannot tell apart have a colon or comma between.

    Raises:
        ConfigError: it is not two different codes, or can be read in more than one way.
    """
    found = [] if len(text) > LONGEST else _parted(text) or _split_at_hyphen(text)
    pairs = [pair for pair in found if all(map(CODE.fullmatch, pair)) and pair.source != pair.target]
    if len(pairs) != 1:
        raise ConfigError(
            f"{text!r} is no language pair; write two different codes, source first, such as 'en-fr' or 'en:pt-br'"
        )
    return pairs[0]


def pair_among(text: str, codes: Iterable[str]) -> LanguagePair | None:
    """The pair that a text such as ``pt-br-en`` names, as the data spells its codes; None where it is not among them.

    Case, and ``_`` for ``-``, make no difference. Where a code is not among them as it is, the only one of the same
    language is meant if one of the two says neither region nor script: ``en`` finds ``en-US``.
    """
    known = list(dict.fromkeys(codes))
    for find in (_equal_codes, _codes_of_language):
        ways = {
            (source, target)
            for way in _parted(text) or _all_ways(text)
            for source in find(way.source, known)
            for target in find(way.target, known)
            if source != target
        }
        if len(ways) == 1:
            return LanguagePair(*ways.pop())
    return None


def _equal_codes(code: str, known: Sequence[str]) -> list[str]:
    found = [one for one in known if _subtags(one) == _subtags(code)]
    return [code] if code in found else found


def _codes_of_language(code: str, known: Sequence[str]) -> list[str]:
    if equal := _equal_codes(code, known):
        return equal
    alike = [one for one in known if _subtags(one)[0] == _subtags(code)[0]]
    return alike if len(alike) == 1 and 1 in (len(_subtags(alike[0])), len(_subtags(code))) else []


def _subtags(code: str) -> list[str]:
    return re.split(r"[-_]", code.lower())


def _parted(text: str) -> list[LanguagePair]:
    parts = re.split(r"[:,]", text)
    return [LanguagePair(*map(str.strip, parts))] if len(parts) == 2 else []


def _all_ways(text: str) -> list[LanguagePair]:
    parts = text.split("-")
    return [LanguagePair("-".join(parts[:place]), "-".join(parts[place:])) for place in range(1, len(parts))]


def _split_at_hyphen(text: str) -> list[LanguagePair]:
    """The ways to read two codes; where there are several hyphens, as BCP 47 writes codes."""
    ways = _all_ways(text)
    return ways if len(ways) == 1 else [way for way in ways if all(map(TAG.fullmatch, way))]


def choose_pair(dataset: str, wanted: str | None, known: Sequence[LanguagePair]) -> LanguagePair:
    """The pair that is wanted, or the first that the dataset has.

    Raises:
        ConfigError: the dataset does not have it.
    """
    if wanted is None:
        return known[0]
    pair = parse_pair(wanted)
    if pair not in known:
        raise ConfigError(f"{dataset} has no pair {wanted!r}; it has: {', '.join(map(str, known))}")
    return pair


def both_ways(*pairs: str) -> tuple[LanguagePair, ...]:
    """Each pair, and after it the same in the other direction."""
    forward = [parse_pair(pair) for pair in pairs]
    return tuple(one for pair in forward for one in (pair, LanguagePair(pair.target, pair.source)))
