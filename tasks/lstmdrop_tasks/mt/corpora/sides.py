"""Texts of a folder, one language a file: ``train.en``, ``dev.pt-BR.gz``, references ``test.en0``, ``test.en.1``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.archive import unpacked_name
from lstmdrop.data.registry import contents
from lstmdrop.data.rows import SPLIT_NAMES, ending_of
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, pair_among, parse_pair
from lstmdrop_tasks.mt.corpora.markup import SGM_ENDINGS, sgm_sides
from lstmdrop_tasks.mt.corpora.parallel import Side, plain_side

LAYOUTS = (
    "a folder needs train, valid and test, each as two aligned texts (train.en, train.fr, ...)"
    " or as a .tsv, .csv, .jsonl, .tmx or WMT .xml file"
)
SIDE = re.compile(
    rf"({'|'.join(SPLIT_NAMES)})(?:[-_.](?:src|ref\w*))?\.([^.]+?)(?:\.sgml?|\.(\d{{1,2}}))?", re.IGNORECASE
)
"""``train.en``, ``dev.pt-BR``, ``test-src.de.sgm``, ``test-ref.en.sgm``, ``test.en.0``: split, language, number."""
NUMBERED = re.compile(r"(.*[^\d])\d{1,2}")
"""One of several references: ``en0``, ``en1``."""

SideFiles = Mapping[Split, Mapping[str, Sequence[Path]]]


def side_files(folder: Path) -> SideFiles:
    """The texts of each split and language, those packed too where there is none that is not."""
    found: dict[Split, dict[str, list[Path]]] = {split: {} for split in SPLITS}
    names = list(SPLIT_NAMES)
    matches = [(path, match) for path in sorted(folder.iterdir()) if path.is_file()
               if (match := SIDE.fullmatch(unpacked_name(path).name))]  # fmt: skip
    # The first name of a split comes first, and a text before its packed twin.
    for path, match in sorted(
        matches, key=lambda each: (names.index(each[1][1].lower()), unpacked_name(each[0]) != each[0])
    ):
        texts = found[SPLIT_NAMES[match[1].lower()]].setdefault(f"{match[2]}{match[3] or ''}", [])
        if not texts or (texts[0].name.lower().startswith(match[1].lower()) and _is_another(path, texts)):
            texts.append(path)
    return found


def _is_another(path: Path, texts: Collection[Path]) -> bool:
    return ending_of(path) in SGM_ENDINGS and unpacked_name(path) not in map(unpacked_name, texts)


def side_languages(folder: Path, pair: str | None, split: Split, found: SideFiles) -> LanguagePair:
    """The languages of a split's texts.

    Raises:
        ConfigError: the pair is none, or is needed.
        DataError: there is no text.
    """
    codes = sorted(found[split])
    without_numbers = sorted({match[1] if (match := NUMBERED.fullmatch(code)) else code for code in codes})
    if pair is not None:
        return pair_among(pair, codes) or pair_among(pair, without_numbers) or parse_pair(pair)
    for languages in (codes, without_numbers):
        if len(languages) == 2:
            return LanguagePair(*languages)
    if not codes:
        name = "training" if split == "train" else split
        raise DataError(f"{folder}: there is no {name} text in this folder\n{LAYOUTS}; {contents(folder)}")
    names = ", ".join(f"{split}.{code}" for code in codes)
    raise ConfigError(f"{folder}: the languages cannot be told from {names}\nname the pair, source first: --pair en-fr")


def sides_of(folder: Path, found: SideFiles, split: Split, language: str) -> list[Path]:
    """The text of a language in a split, after it further translations: ``test.en``, or ``test.en0``, ``test.en1``.

    Raises:
        DataError: there is none.
    """
    texts = found[split]
    numbered = [code for code in texts if (match := NUMBERED.fullmatch(code)) and match[1] == language]
    paths = [path for code in (language, *sorted(numbered, key=_number)) for path in texts.get(code, ())]
    require_file(bool(paths), folder / f"{split}.{language}")
    return paths


def _number(code: str) -> int:
    return int(re.sub(r"^.*\D", "", code))


def read_sides(sources: Sequence[Path], targets: Sequence[Path]) -> list[Side]:
    """The lines of the source and of each translation."""
    return [*sides_in(sources[0])[:1], *(side for path in targets for side in sides_in(path))]


def sides_in(path: Path) -> list[Side]:
    """The lines of a text; of marked up references those of each translator."""
    return sgm_sides(path) if ending_of(path) in SGM_ENDINGS else [plain_side(path)]


def require_file(is_there: bool, path: Path) -> None:
    """Refuse a folder that lacks a file.

    Raises:
        DataError: it does.
    """
    if not is_there:
        raise DataError(f"{path}: no such file\n{LAYOUTS}; {contents(path.parent)}")
