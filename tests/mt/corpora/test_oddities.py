"""What looks wrong is said before a model learns it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.data import describe_text
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.oddities import oddities, require_table
from lstmdrop_tasks.mt.corpora.table import TableLayout

ENGLISH = ["the red bread is on the table", "my dog sleeps in the house", "where is your little sister"]
FRENCH = ["le pain rouge est sur la table", "mon chien dort dans la maison", "où est ta petite sœur"]
ROWS = [f"{english} {n}\t{french} {n}" for n in range(10) for english, french in zip(ENGLISH, FRENCH, strict=True)]


def found(path: Path, pair: str | None = None, layout: TableLayout = TableLayout()) -> str:  # noqa: B008
    return "\n".join(oddities(str(path), pair, layout))


def written(path: Path, rows: list[str]) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def numbered(rows: list[str], name: str = "{}") -> list[str]:
    return ["\t".join((name.format(n), one, name.format(9 + n), other))
            for n, (one, other) in enumerate(row.split("\t") for row in rows)]  # fmt: skip


@pytest.mark.parametrize("name", ["{}", "{}.5", "doc1_s{}", "2024-01-{}"])
def test_numbers_where_there_are_sentences_are_refused_with_the_columns(tmp_path: Path, name: str) -> None:
    table = written(tmp_path / "ids.tsv", numbered(ROWS, name))
    with pytest.raises(DataError, match=r"numbers or codes, as in .*\n.*--columns 2,4$"):
        found(table)
    assert found(table, layout=TableLayout((2, 4))) == ""
    assert found(table, layout=TableLayout((1, 2))) == "", "who names columns is taken at their word"
    *_, line = describe_text(table)
    assert "--columns 2,4" in line


def test_a_side_of_numbers_is_said(tmp_path: Path) -> None:
    table = written(tmp_path / "a.tsv", [f"{n}\t{text}" for n, text in enumerate(ENGLISH * 5)])
    assert "the source side is numbers or codes, as in '0' - 'the red bread" in found(table)
    for side, lines in (("en", ENGLISH), ("fr", ["1", "2", "3"])):
        written(tmp_path / f"train.{side}", lines)
    table.unlink()
    assert "the target side is numbers" in found(tmp_path)


@pytest.mark.parametrize(
    ("first", "is_header"),
    [
        ("english\tfrench", True), ("Source Text\tTarget_Text", True), ("en\tfr", True), ("sentence1\tsentence2", True),
        ("English\tFrançais", True), ("The English\tLes Anglais", False), ("no\tnon", False), ("text\tle texte", False),
    ],
)  # fmt: skip
def test_a_header_is_noticed(tmp_path: Path, first: str, is_header: bool) -> None:
    table = written(tmp_path / "a.tsv", [first, *ROWS])
    assert ("looks like a header" in found(table)) is is_header
    assert found(table, layout=TableLayout(header=True)) == ""
    assert any("data.header=true" in line for line in describe_text(table)) is is_header


def test_languages_that_look_swapped_are_said(tmp_path: Path) -> None:
    table = written(tmp_path / "a.tsv", ROWS)
    assert found(table, "en-fr") == found(table) == found(table, "src-tgt") == found(table, "en-en_GB") == ""
    assert "looks like en and the target side like fr, as in 'the red bread" in found(table, "fr-en")
    for side, lines in (("en", FRENCH), ("fr", ENGLISH)):
        written(tmp_path / f"test.{side}", lines)
    table.unlink()
    assert "are they the other way round? the ending of a file names its language" in found(tmp_path)
    assert "other way round" in "\n".join(describe_text(tmp_path))


def test_sides_that_are_the_same_are_said(tmp_path: Path) -> None:
    copies = [f"{line} {n}\t{line} {n}" for n, line in enumerate(ENGLISH)]
    assert "3 of 18 pairs are the same on both sides, as 'the red bread is" in found(
        written(tmp_path / "a.tsv", ROWS[:15] + copies)
    )
    assert found(written(tmp_path / "b.tsv", ROWS + copies[:1])) == ""


def test_tabs_within_sentences_and_quotes_of_spreadsheets_are_said(tmp_path: Path) -> None:
    table = written(tmp_path / "a.tsv", [*ROWS, "one\ttab\ttoo many", '"he said ""no"""\til a dit non'])
    assert "most rows have 2 columns, 1 another number, as 'one' - 'tab' - 'too many'" in found(table)
    assert "--set data.quoted=true" in found(table)
    assert "quoted" not in found(table, layout=TableLayout(quoted=True))


@pytest.mark.parametrize("data", ["demo", "multi30k"])
def test_a_layout_without_a_table_is_refused(data: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"are for tables of one's own, and {data} is none"):
        require_table(data, TableLayout((2, 1)))
    with pytest.raises(ConfigError, match="are for tables"):
        require_table(str(tmp_path), TableLayout(header=True))
    require_table(str(written(tmp_path / "a.tsv", ROWS)), TableLayout(header=True))


def test_training_and_a_dry_run_say_it_once(tmp_path: Path, lstmdrop: Callable[..., Any], caplog: Any) -> None:
    tables = [written(tmp_path / f"{split}.tsv", ["english\tfrench", *ROWS]) for split in ("train", "valid", "test")]
    given = ("train", "mt", "--data", tmp_path, "--size", "tiny", "--dry-run")
    assert lstmdrop(*given).code == 0
    assert [record.message.count("looks like a header") for record in caplog.records] == [1]
    caplog.clear()
    assert lstmdrop(*given, settings=["data.header=true"]).code == 0
    assert not caplog.records
    for table in tables:
        written(table, numbered(ROWS))
    refused = lstmdrop(*given)
    assert (refused.code, refused.messages.count("--columns 2,4")) == (4, 1)
    assert lstmdrop(*given, "--columns", "2,4").code == 0
    assert lstmdrop(*given, "--columns", "2").code == 3


def test_a_letter_in_two_unicode_forms_is_said_for_each_side(tmp_path: Path) -> None:
    composed, apart = "le caf\u00e9 est l\u00e0", "un cafe\u0301"
    rows = [*ROWS[:3], f"coffee\t{composed}", f"a coffee\t{apart}", f"more\t{apart}"]
    table = written(tmp_path / "a.tsv", rows)
    assert found(table).startswith(f"{table}:5: 'e\u0301' (U+0065 U+0301) is '\u00e9' (U+00E9) in {table}:4: ")
    assert found(written(table, [*ROWS, f"{apart}\t{composed}"])) == "", "the sides are two languages"
    assert found(written(table, [unicodedata.normalize("NFD", row) for row in rows])) == ""


def test_splits_in_different_unicode_forms_are_said(tmp_path: Path) -> None:
    for split, form in (("train", "NFC"), ("valid", "NFD")):
        written(tmp_path / f"{split}.en", ENGLISH)
        written(tmp_path / f"{split}.fr", [unicodedata.normalize(form, line) for line in FRENCH])  # type: ignore[arg-type]
    (told,) = [line for line in describe_text(tmp_path) if "code points" in line]
    assert told.startswith(f"{tmp_path / 'valid.fr'}:3: ")
    assert f"in {tmp_path / 'train.fr'}:3: " in told


def test_unknown_words_that_are_written_into_the_target_text_are_said(tmp_path: Path) -> None:
    table = written(tmp_path / "a.tsv", [*ROWS, "a <unk>\tun chien", "a dog\tun <unk>", "a\t<unk>"])
    assert found(table).startswith(f"{table}:{len(ROWS) + 2}: a literal <unk> in the target text: ")
    for side, lines in (("en", ["a <unk>"]), ("fr", ["un chien"])):
        written(tmp_path / f"train.{side}", lines)
    table.unlink()
    assert found(tmp_path) == ""
