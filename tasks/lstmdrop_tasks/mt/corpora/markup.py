"""Pairs out of translation memories (TMX) and out of WMT's test sets (XML, SGM)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

from lstmdrop.data.archive import open_unpacked
from lstmdrop.data.rows import ending_of
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair
from lstmdrop_tasks.mt.corpora.parallel import Side, plain_side

XML_ENDINGS = (".tmx", ".xml")
SGM_ENDINGS = (".sgm", ".sgml")
LOOKED_AT = 100
"""Units in which the languages of a file are looked for."""
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
CODES_OF_FORMAT = frozenset(("bpt", "ept", "it", "ph", "ut"))
"""Elements of TMX that hold another program's markup, and no text."""


def xml_languages(path: Path) -> list[str]:
    """The languages of a TMX file or a test set, that of the source first.

    Raises:
        DataError: the file is missing, damaged or neither of the two.
    """
    found: dict[str, None] = {}
    for unit in islice(_units(path), LOOKED_AT):
        for language, _ in _texts(unit, path):
            found.setdefault(language)
    if not found:
        raise DataError(f"{path}: there is neither a <tu> of TMX nor a <doc> of a WMT test set in it")
    return list(found)


def xml_pairs(path: Path, languages: LanguagePair) -> Iterator[tuple[str, list[str]]]:
    """Each sentence with its translations; what has none in one of the languages is left out.

    Raises:
        DataError: as `xml_languages`, or a document's translations are not as many as its sentences.
    """
    for unit in _units(path):
        texts = _texts(unit, path)
        sources = [segments for language, segments in texts if language == languages.source][:1]
        translations = [segments for language, segments in texts if language == languages.target]
        for segments in translations:
            if sources and len(segments) != len(sources[0]):
                name = unit.get("id") or unit.get("docid") or unit.get("tuid") or "without an id"
                raise DataError(
                    f"{path}:{unit.sourceline}: <{unit.tag}> {name} has {len(sources[0])} sentences in "
                    f"{languages.source} and {len(segments)} in {languages.target}"
                )
        if sources and translations:
            yield from ((source, list(some)) for source, *some in zip(*sources, *translations, strict=True))


def _units(path: Path) -> Iterator[Any]:
    """The ``<tu>`` or ``<doc>`` elements, each gone once the next is asked for.

    Nothing that the file names is loaded, and no entity of its own is put in: a small file could name a huge text.
    """
    import lxml.etree as etree

    tag = "{*}tu" if ending_of(path) == ".tmx" else "{*}doc"
    with open_unpacked(path) as stream:
        try:
            for _, element in etree.iterparse(
                stream, tag=tag, resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True
            ):
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise DataError(f"{path}: this is no whole XML ({error})") from None


def _texts(unit: Any, path: Path) -> list[tuple[str, list[str]]]:
    """The language and the segments of each version that a unit has, the source's first."""
    versions = unit.findall("{*}tuv")
    if versions:
        first = unit.get("srclang") or _header(unit)
        found = [(version.get(XML_LANG) or version.get("lang", ""), _segments(version, path)) for version in versions]
        return sorted(found, key=lambda version: version[0].lower() != first.lower())
    sides = [*unit.findall("{*}src"), *unit.findall("{*}ref")]
    return [(side.get("lang", ""), _segments(side, path)) for side in sides]


def _header(unit: Any) -> str:
    header = unit.getroottree().getroot().find("{*}header")
    return "" if header is None else str(header.get("srclang", ""))


def _segments(version: Any, path: Path) -> list[str]:
    return [" ".join("".join(_text(segment, path)).split()) for segment in version.iter("{*}seg")]


def _text(element: Any, path: Path) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            if child.tag.rpartition("}")[2] not in CODES_OF_FORMAT:
                yield from _text(child, path)
        elif (name := getattr(child, "name", None)) is not None:  # an entity, which nothing has put in
            raise DataError(f"{path}:{child.sourceline}: the entity &{name}; is not read; write the character")
        yield child.tail or ""


TAG = re.compile(r"<(/?)(doc|seg)\b([^<>]*)>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"\b(\w+)\s*=\s*[\"']([^\"']*)[\"']")
ENTITIES = {"&quot;": '"', "&apos;": "'"}
"""Beside ``&amp;``, ``&lt;`` and ``&gt;``."""


def segments(side: Side) -> Side:
    """What stands in the ``<seg>`` elements of a side in NIST's markup (``.sgm``, IWSLT's ``.xml``).

    A segment becomes one line, its white space single spaces, its five named entities the characters meant.
    """

    def lines() -> Iterator[str]:
        yield from _marked("\n".join(side.lines()))

    return Side(side.name, lines)


def _marked(text: str) -> Iterator[str]:
    for _, segment in _elements("seg", text):
        yield " ".join(unescape(segment, ENTITIES).split())


def _elements(name: str, text: str) -> Iterator[tuple[str, str]]:
    """The attributes and the content of each element of a name, which ends where the first one does that has begun.

    Tag by tag, for a pattern with both ends in it goes to the end of the text from each beginning that has none.
    """
    opened: re.Match[str] | None = None
    for tag in TAG.finditer(text):
        if tag[2].lower() != name:
            continue
        if not tag[1]:
            opened = opened or tag
        elif opened is not None:
            yield opened[3], text[opened.end() : tag.start()]
            opened = None


def sgm_sides(path: Path) -> list[Side]:
    """The segments of a file in NIST's markup; of a set of references one side for each of its translators.

    Raises:
        DataError: the file is missing, damaged or not UTF-8.
    """
    whole = plain_side(path)
    translators = list(dict.fromkeys(translator for translator, _ in _documents(whole)))
    if len(translators) < 2 or not _are_versions(whole):
        return [segments(whole)]
    return [_translated_by(whole, translator) for translator in translators]


def _translated_by(whole: Side, translator: str) -> Side:
    def lines() -> Iterator[str]:
        for name, document in _documents(whole):
            if name == translator:
                yield from _marked(document)

    return Side(f"{whole.name} ({translator})", lines)


def _documents(side: Side) -> Iterator[tuple[str, str]]:
    for attributes, document in _elements("doc", "\n".join(side.lines())):
        yield _attribute(attributes, "sysid"), document


def _are_versions(side: Side) -> bool:
    """Whether some document comes again, by another translator."""
    names: Sequence[str] = [_attribute(found, "docid") for found, _ in _elements("doc", "\n".join(side.lines()))]
    return len(set(names)) < len(names)


def _attribute(attributes: str, name: str) -> str:
    return next((value for key, value in ATTRIBUTE.findall(attributes) if key.lower() == name), "")
