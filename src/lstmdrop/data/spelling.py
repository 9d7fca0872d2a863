"""One letter in different code points (Unicode's forms NFC and NFD): in texts, and in the names of files."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal

LOOKED_AT = 10_000
"""Lines from the beginning of a text."""

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def letters_of(words: Iterable[str]) -> Iterator[str]:
    """The letters beyond ASCII, each with the marks that follow it."""
    for word in words:
        if word.isascii():
            continue
        start = 0
        for end in range(1, len(word) + 1):
            if end == len(word) or not _joins(word[end]):
                if not word[start:end].isascii():
                    yield word[start:end]
                start = end


@cache
def _joins(char: str) -> bool:
    """Whether it is a mark, or a vowel or an end of a Korean syllable."""
    return unicodedata.category(char).startswith("M") or "\u1160" <= char <= "\u11ff"


class Spellings:
    """How the letters of some lines, given one after the other, are written."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._first: dict[str, tuple[str, str]] = {}
        """Of a letter in NFC, how it was written first, and where."""

    def oddity(self, line: str, where: str) -> str:
        """What to say of a letter that was written otherwise in a line before; nothing where there is none."""
        if line.isascii():
            return ""
        new = [word for word in dict.fromkeys(line.split()) if word not in self._words]
        self._words.update(new)
        for letter in letters_of(new):
            first, place = self._first.setdefault(unicodedata.normalize("NFC", letter), (letter, where))
            if first != letter:
                return (
                    f"{where}: {_shown(letter)} is {_shown(first)} in {place}: one letter in different code points, "
                    f"which count as different; {_conversion('NFC')}"
                )
        return ""

    def first_oddity(self, lines: Iterable[tuple[str, str]]) -> list[str]:
        """`oddity` of the first of these lines, each with its place, that has one."""
        return list(islice(filter(None, (self.oddity(line, where) for line, where in lines)), 1))


def other_form(line: str, known: Collection[str]) -> str:
    """What to say of a letter that a vocabulary knows, as ``known``, in other code points; nothing of any other.

    ``known`` is `lstmdrop.data.vocabulary.Vocabulary.letters`.
    """
    if not known or line.isascii():
        return ""
    for letter in letters_of(line.split()):
        if not _is_known(letter, known):
            for form in _FORMS:
                other = unicodedata.normalize(form, letter)
                if other != letter and _is_known(other, known):
                    return (
                        f"{_shown(letter)} is {_shown(other)} in the training text: one letter in different code "
                        f"points, which is unknown as it stands here; {_conversion(form)}"
                    )
    return ""


def first_oddity(lines: Iterable[tuple[str, str]], known: Collection[str] | None = None) -> list[str]:
    """What to say of the first of these lines, each with its place, of which there is something to say.

    That is of letters that the lines write in two ways; with ``known``, as in `other_form`, of others than those.
    """
    if known is None:
        return Spellings().first_oddity(lines)
    found = (f"{where}: {about}" for line, where in lines if (about := other_form(line, known)))
    return list(islice(found, 1))


def _is_known(letter: str, known: Collection[str]) -> bool:
    return letter in known or all(char.isascii() or char in known for char in letter)


def _shown(letter: str) -> str:
    return f"{letter!r} ({' '.join(f'U+{ord(char):04X}' for char in letter)})"


def _conversion(form: str) -> str:
    python = f"import sys, unicodedata; sys.stdout.write(unicodedata.normalize('{form}', sys.stdin.read()))"
    return f'convert the text: uconv -x {form.lower()}, or python -X utf8 -c "{python}"'


def on_disk(path: Path) -> Path:
    """The file of this name or, where there is none, the only one whose name is the same but for its spelling.

    That is the same letters in other code points, as archives from a Mac have them, and an ending in another case. The
    same holds for the folders that it lies in. Where there is no such file, the name stays as it is.
    """
    try:
        if path.exists() or path.parent == path:
            return path
        folder = on_disk(path.parent)
        names = _names(folder, folder.stat().st_mtime_ns).get(name_key(path.name), ())
    except (OSError, ValueError):  # a name that no file can have
        return path
    return folder / names[0] if len(names) == 1 else path


def is_file(path: Path) -> bool:
    """Whether a file is there; not either where the name, as somebody has written it, is one that no file can have."""
    try:
        return path.is_file()
    except PermissionError:
        raise
    except (OSError, ValueError):
        return False


def name_key(name: str) -> str:
    """What the names have in common that `on_disk` takes for the same."""
    stem, dot, ending = composed(name).rpartition(".")
    return f"{stem}{dot}{ending.lower() if dot else ending}"


def composed(name: str) -> str:
    """The name in NFC: each letter and its marks as few code points as there can be."""
    return unicodedata.normalize("NFC", name)


@lru_cache(maxsize=16)
def _names(folder: Path, changed: int) -> Mapping[str, Sequence[str]]:
    """The names in a folder, as it was at the time of its last change."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in folder.iterdir():
        found[name_key(path.name)].append(path.name)
    return dict(found)
