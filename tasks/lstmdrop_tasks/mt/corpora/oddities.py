"""What looks wrong in parallel texts of one's own, before a model learns it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.archive import unpacked_name
from lstmdrop.data.remote import local_place
from lstmdrop.data.rows import NAMED_ENDINGS, TABLE_ENDINGS, ending_of, matching_files
from lstmdrop.data.spelling import LOOKED_AT as NUM_ROWS
from lstmdrop.data.spelling import first_oddity
from lstmdrop.data.vocabulary import UNK
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.datasets import DATASETS
from lstmdrop_tasks.mt.corpora.language_pair import UNNAMED, LanguagePair, parse_pair
from lstmdrop_tasks.mt.corpora.markup import XML_ENDINGS
from lstmdrop_tasks.mt.corpora.own import own_recipe, splits_of_rows, splits_there
from lstmdrop_tasks.mt.corpora.parallel import Side, plain_side
from lstmdrop_tasks.mt.corpora.recipe import Counts
from lstmdrop_tasks.mt.corpora.sides import SIDE, SideFiles, side_files, side_languages, sides_in, sides_of
from lstmdrop_tasks.mt.corpora.table import DEFAULT, TableLayout, named_columns, table_rows

Pair = tuple[str, str]

PUBLISHED = frozenset(dataset.name for dataset in DATASETS)
MOST_COLUMNS = 6
"""More have lists of recordings and the like."""
NEARLY_ALL, MANY = 0.9, 0.1
HEADINGS = frozenset(
    """
    source src target tgt trg input output text sentence translation translated original reference ref hypothesis
    lang language phrase line segment id
    afrikaans albanian amharic arabic armenian azerbaijani basque bengali bulgarian burmese catalan chinese croatian
    czech danish dutch english estonian finnish french galician georgian german greek gujarati hausa hebrew hindi
    hungarian icelandic igbo indonesian irish italian japanese javanese kannada kazakh khmer korean kurdish lao latin
    latvian lithuanian macedonian malay malayalam maltese mandarin marathi mongolian nepali norwegian persian polish
    portuguese punjabi romanian russian serbian sinhala slovak slovenian somali spanish swahili swedish tamil telugu
    thai tibetan turkish ukrainian urdu uzbek vietnamese welsh yoruba zulu
    deutsch español français italiano português русский 中文 日本語 한국어
    af am ar az be bg bn ca cs cy da de el en es et eu fa fi fr ga gl gu ha he hi hr hu hy id ig is it ja jv ka kk km
    kn ko lo lt lv mk ml mn mr ms mt my ne nl no pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tr uk ur uz vi yo
    zh zu eng fra fre deu ger spa ita por rus zho jpn kor ara hin
    """.split()  # noqa: SIM905 (a list of words reads better so)
)


def oddities(data: str, pair: str | None, layout: TableLayout = DEFAULT) -> Iterator[str]:
    """A line about each thing in one's own texts that looks wrong, with the pair that shows it first.

    It looks at the beginning of the table, or of the first split that a folder has.

    Raises:
        ConfigError: the pair is none.
        DataError: numbers stand where the table has sentences in other columns.
    """
    if data in PUBLISHED:
        return
    path = local_place(data)
    if (table := table_in(path)) and named_columns(table, pair, layout) is None:
        yield from _table_oddities(table, layout.of(table), None if pair is None else parse_pair(pair))
    elif sides := text_sides(path, pair):
        yield from _text_oddities(sides)
    elif path.exists() or matching_files(path):
        yield from _row_oddities(path, pair, layout)


def first_side(folder: Path, found: SideFiles, split: Split, language: str) -> list[Side]:
    """The text of a language in a split, without further references.

    Raises:
        DataError: there is none.
    """
    return sides_in(sides_of(folder, found, split, language)[0])[:1]


def numbered(text: Side) -> Iterator[tuple[str, str]]:
    """The first lines of a text, each with its place."""
    for number, line in enumerate(islice(text.lines(), NUM_ROWS), 1):
        yield line, f"{text.name}:{number}"


def require_table(data: str, layout: TableLayout) -> None:
    """Refuse a layout that would have no effect.

    Raises:
        ConfigError: it is given, and the data is no table.
    """
    if layout == DEFAULT:
        return
    path = Path(data) if data in PUBLISHED else local_place(data)
    if data in PUBLISHED or not (table_in(path) or (layout.names and (matching_files(path) or splits_of_rows(path)))):
        raise ConfigError(f"data.columns, data.header and data.quoted are for tables of one's own, and {data} is none")


def table_in(path: Path) -> Path | None:
    """The file, or the folder's first, where it is a table: it is one unless its name says otherwise."""
    if path.is_dir():
        files = splits_of_rows(path)
        return next((found[0] for found in files.values() if ending_of(found[0]) in TABLE_ENDINGS), None)
    return next((file for file in matching_files(path) if ending_of(file) not in (*NAMED_ENDINGS, *XML_ENDINGS)), None)


def text_sides(folder: Path, pair: str | None) -> list[Side]:
    """The two texts of a folder's first split; nothing where they cannot be told."""
    if not folder.is_dir():
        return []
    found = side_files(folder)
    try:
        for split in SPLITS:
            if found[split]:
                languages = side_languages(folder, pair, split, found)
                return [side for language in languages for side in first_side(folder, found, split, language)]
    except (DataError, ConfigError):
        pass
    return []


def _row_oddities(path: Path, pair: str | None, layout: TableLayout) -> Iterator[str]:
    recipe = own_recipe(path, pair, layout, splits_there(path)[:1])
    assert recipe is not None
    source, *_ = recipe.sources.values()
    blocks = source(Counts())
    pairs = list(
        islice((pair for block in blocks for pair in zip(block.sources, block.targets, strict=True)), NUM_ROWS)
    )
    way = "--columns names the fields, source first"
    yield from _number_sides(path, pairs, way)
    yield from _odd_pairs(path, pairs, None if recipe.pair == UNNAMED else recipe.pair, way)
    for side in range(2):
        lines = [(pair[side], f"{path}, pair {number}") for number, pair in enumerate(pairs, 1)]
        yield from first_oddity(lines)
        yield from _literal_unknown(lines) if side else ()


def _table_oddities(path: Path, layout: TableLayout, languages: LanguagePair | None) -> Iterator[str]:
    numbered_rows = list(islice(table_rows(plain_side(path), layout), NUM_ROWS))
    rows = [cells for _, cells in numbered_rows]
    if not rows:
        return
    if layout.columns is None:
        _require_sentences(path, rows)
    source, target = layout.places
    yield from _uneven(path, rows)
    if not layout.quoted:
        yield from _spreadsheet_quotes(path, rows)
    pairs = [(cells[source - 1], cells[target - 1]) for cells in rows if len(cells) >= max(layout.places)]
    if not layout.header:
        yield from _heading(path, pairs, "--set data.header=true leaves it out")
    if layout.columns is None:
        yield from _number_sides(path, pairs, "--columns names the columns, source first")
    yield from _odd_pairs(path, pairs, languages, "--columns names the columns, source first")
    for place in layout.places:
        cells_of_side = [(row[place - 1], f"{path}:{number}") for number, row in numbered_rows if len(row) >= place]
        yield from first_oddity(cells_of_side)
        yield from _literal_unknown(cells_of_side) if place == target else ()


def _text_oddities(sides: Sequence[Side]) -> Iterator[str]:
    columns = [list(islice(side.lines(), NUM_ROWS)) for side in sides]
    pairs = list(zip(*columns, strict=False))
    path, languages = Path(sides[0].name), LanguagePair(*map(_language_of, sides))
    yield from _heading(path, pairs, "remove it from both texts")
    yield from _number_sides(path, pairs, "a line of it should be a sentence")
    yield from _odd_pairs(path, pairs, languages, "the ending of a file names its language")
    for side in sides:
        yield from first_oddity(numbered(side))
    yield from _literal_unknown(numbered(sides[1]))


def _language_of(side: Side) -> str:
    match = SIDE.fullmatch(unpacked_name(Path(side.name)).name)
    return match[2] if match else ""


def _literal_unknown(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    where = next((where for line, where in lines if UNK in line.split()), None)
    if where is not None:
        yield (
            f"{where}: a literal {UNK} in the target text: no translation holds one, and BLEU cuts it into three "
            "words; take the text from before words were replaced"
        )


def _number_sides(path: Path, pairs: Sequence[Pair], way: str) -> Iterator[str]:
    for side, name in enumerate(("source", "target")):
        if pairs and _are_numbers([pair[side] for pair in pairs]):
            yield f"{path}: the {name} side is numbers or codes, as in {_shown(pairs[0])}; {way}"


def _odd_pairs(path: Path, pairs: Sequence[Pair], languages: LanguagePair | None, way: str) -> Iterator[str]:
    written = [pair for pair in pairs if all(map(str.strip, pair))]
    equal = [pair for pair in written if pair[0].strip() == pair[1].strip() and not _is_number(pair[0])]
    if len(equal) > MANY * len(written):
        yield (
            f"{path}: {len(equal):,} of {len(written):,} pairs are the same on both sides, as {_shown(equal[0])}: "
            "what is not translated teaches to copy"
        )
    if written and languages is not None and _is_swapped(written, languages):
        source, target = languages
        yield (
            f"{path}: the source side looks like {target} and the target side like {source}, as in "
            f"{_shown(written[0])}: are they the other way round? {way}"
        )


def _require_sentences(path: Path, rows: Sequence[Sequence[str]]) -> None:
    common, _ = Counter(map(len, rows)).most_common(1)[0]
    columns = list(zip(*(cells for cells in rows if len(cells) == common), strict=True))
    texts = [number for number, cells in enumerate(columns, 1) if not _are_numbers(cells)]
    if common > 2 and len(texts) >= 2 and {1, 2} - set(texts):
        first = rows[0]
        raise DataError(
            f"{path}: of the first two columns one is numbers or codes, as in {_shown((first[0], first[1]))}\n"
            f"name the columns, source first: --columns {texts[0]},{texts[1]}"
        )


def _are_numbers(cells: Sequence[str]) -> bool:
    written = [cell for cell in cells if cell.strip()]
    return sum(map(_is_number, written)) > NEARLY_ALL * len(written)


def _is_number(cell: str) -> bool:
    """``1``, ``2.5``, ``2024-01-31``, and what names a line: ``doc1_s3``."""
    has_letter = re.search(r"[^\W\d_]", cell)
    return bool(re.search(r"\d", cell)) and (not has_letter or bool(re.fullmatch(r"[!-~]+", cell.strip())))


def _heading(path: Path, pairs: Sequence[Pair], way: str) -> Iterator[str]:
    if pairs and all(words and words <= HEADINGS for words in map(_words, pairs[0])):
        yield f"{path}: the first row looks like a header: {_shown(pairs[0])}; {way}"


def _words(cell: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", cell.lower()))


def _uneven(path: Path, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    common, number = Counter(map(len, rows)).most_common(1)[0]
    odd = next((cells for cells in rows if len(cells) > common), None)
    if odd is not None:
        yield (
            f"{path}: most rows have {common} columns, {len(rows) - number:,} another number, as {_shown(odd[:4])}: "
            "is there a tab within a sentence?"
        )


def _spreadsheet_quotes(path: Path, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    quoted = next((cell for cells in rows for cell in cells if re.fullmatch(r'"([^"]*"")+[^"]*"', cell)), None)
    if quoted is not None:
        yield f"{path}: cells look quoted as spreadsheets do, as {quoted}; --set data.quoted=true reads them so"


def _is_swapped(pairs: Sequence[Pair], languages: LanguagePair) -> bool:
    """Whether of the two languages each side looks more like the other's."""
    import py3langid

    source, target = (re.split(r"[-_]", language.lower())[0] for language in languages)
    sides = [" ".join(side) for side in zip(*pairs[:200], strict=True)]
    if source == target:
        return False
    try:
        py3langid.set_languages([source, target])
        return [str(py3langid.classify(side)[0]) for side in sides] == [target, source]
    except ValueError:  # it knows not both of them
        return False
    finally:
        py3langid.set_languages(None)


def _shown(cells: Sequence[str]) -> str:
    return " - ".join(repr(cell if len(cell) < 60 else f"{cell[:57]}...") for cell in cells)
