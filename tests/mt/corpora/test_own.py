"""Parallel texts of one's own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelText
from lstmdrop_tasks.mt.corpora.splitting import sentence_key
from lstmdrop_tasks.mt.corpora.table import TableLayout

PairsOf = Callable[[ParallelText], list[tuple[str, str]]]
SPLITS = ("train", "valid", "test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for split in SPLITS:
        for language in ("en", "fr"):
            lines = [f"{split} {number} in {language}" for number in range(4)]
            (folder / f"{split}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_folder_of_aligned_texts_names_its_languages(folder: Path, pairs_of: PairsOf) -> None:
    corpus = find_corpus(str(folder), None)
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("mine", "en", "fr")
    for split, text in zip(SPLITS, (corpus.train, corpus.valid, corpus.test), strict=True):
        assert pairs_of(text) == [(f"{split} {number} in en", f"{split} {number} in fr") for number in range(4)]
    assert corpus.report["train"] == {"read": 4, "kept": 4, "empty": 0, "too_long": 0}


def test_the_direction_can_be_chosen(folder: Path, pairs_of: PairsOf) -> None:
    corpus = find_corpus(str(folder), "fr-en")
    assert pairs_of(corpus.test)[0] == ("test 0 in fr", "test 0 in en")


def test_of_three_languages_the_pair_must_be_named(folder: Path) -> None:
    for split in SPLITS:
        (folder / f"{split}.de").write_text("eins\nzwei\ndrei\nvier\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot be told from train\.de, train\.en, train\.fr\nname the pair"):
        find_corpus(str(folder), None)
    assert find_corpus(str(folder), "de-fr").source_language == "de"


def test_sides_of_different_length_are_named_with_file_and_line(folder: Path) -> None:
    (folder / "train.fr").write_text("un\ndeux\ntrois\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        find_corpus(str(folder), None)
    assert str(caught.value) == (
        f"{folder / 'train.fr'}:3: this is the last line, and {folder / 'train.en'} has 4\n"
        "line N of one side must translate line N of the other"
    )


@pytest.mark.parametrize("name", ["train.en", "valid.fr", "test.fr"])
def test_a_line_that_is_not_utf8_is_named_with_file_and_line(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"one\ncaf\xe9\nthree\nfour\n")
    with pytest.raises(DataError, match=rf"{folder / name}:2: byte 0xe9 is not UTF-8"):
        find_corpus(str(folder), None)


def test_empty_sides_are_counted_dropped_and_reported_in_training(folder: Path, pairs_of: PairsOf) -> None:
    (folder / "train.fr").write_text("un\n\n \t\nquatre\n", encoding="utf-8")
    (folder / "test.fr").write_text("un\n\ntrois\nquatre\n", encoding="utf-8")
    corpus = find_corpus(str(folder), None)
    assert pairs_of(corpus.train) == [("train 0 in en", "un"), ("train 3 in en", "quatre")]
    assert corpus.report["train"] == {"read": 4, "kept": 2, "empty": 2, "too_long": 0}
    assert pairs_of(corpus.test)[1] == ("test 1 in en", "")


@pytest.mark.parametrize("content", ["", "\n\n\n\n"])
def test_a_text_without_a_sentence_is_refused(folder: Path, content: str) -> None:
    (folder / "train.fr").write_text(content)
    with pytest.raises(DataError, match=r"(train\.fr: the file is empty|no pairs for train \(dropped: empty: 4\))"):
        find_corpus(str(folder), None)


def test_a_missing_file_and_an_empty_folder_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "valid.fr").unlink()
    with pytest.raises(DataError, match=rf"{folder / 'valid.fr'}: no such file\na folder needs train, valid and test"):
        find_corpus(str(folder), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no training text in this folder"):
        find_corpus(str(tmp_path / "empty"), None)


def test_line_ends_of_any_kind_and_a_byte_order_mark_change_nothing(folder: Path, pairs_of: PairsOf) -> None:
    (folder / "train.fr").write_bytes("\ufeffl'été\r\ndeux\r\ntrois\r\nquatre".encode())
    assert [target for _, target in pairs_of(find_corpus(str(folder), None).train)] == [
        "l'été", "deux", "trois", "quatre",
    ]  # fmt: skip


def test_a_changed_text_makes_another_corpus(folder: Path, pairs_of: PairsOf) -> None:
    find_corpus(str(folder), None)
    (folder / "train.fr").write_text("un\ndeux\ntrois\ncinq\n", encoding="utf-8")
    assert pairs_of(find_corpus(str(folder), None).train)[3][1] == "cinq"


def test_three_tables_are_three_splits(tmp_path: Path, pairs_of: PairsOf) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.tsv").write_text(f"{split} one\tun\tCC-BY\n{split} two\tdeux\n", encoding="utf-8")
    corpus = find_corpus(str(tmp_path), "en-fr")
    assert pairs_of(corpus.valid) == [("valid one", "un"), ("valid two", "deux")]
    (tmp_path / "test.tsv").unlink()
    with pytest.raises(DataError, match=r"test\.tsv: no such file"):
        find_corpus(str(tmp_path), "en-fr")


def test_one_table_is_split_by_its_source_sentences(tmp_path: Path, pairs_of: PairsOf) -> None:
    table = tmp_path / "phrases.tsv"
    rows = [(f"Sentence {number}{end}", f"{word} {number}") for number in range(200) for end, word in (".a", "!b")]
    table.write_text("".join(f"{source}\t{target}\n" for source, target in rows), encoding="utf-8")
    corpus = find_corpus(str(table), "en-fr")
    splits = [pairs_of(text) for text in (corpus.train, corpus.valid, corpus.test)]
    assert sorted(pair for pairs in splits for pair in pairs) == sorted(rows)
    for one, other in combinations(splits, 2):
        assert not {sentence_key(source) for source, _ in one} & {sentence_key(source) for source, _ in other}
    assert "by source sentence" in str(corpus.report["settings"]["split"])
    assert find_corpus(str(table), None).source_language == "src"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\tun\ntwo deux\n", r"table\.tsv:2: this line has no tab"),
        (b"one\tun\ntwo\tdeux\ncaf\xe9\tcaf\n", r"table\.tsv:3: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "table.tsv"
    table.write_bytes(content)
    with pytest.raises(DataError, match=message):
        find_corpus(str(table), None)


def test_a_name_that_nothing_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'multi30k'"):
        find_corpus("multi30", None, tmp_path)


def test_empty_sides_of_a_table_are_counted_and_come_into_no_split(tmp_path: Path, pairs_of: PairsOf) -> None:
    table = tmp_path / "table.tsv"
    rows = [f"sentence {number}\tphrase {number}" for number in range(300)]
    table.write_text("\n".join([*rows, *(f"alone {number}\t" for number in range(200)), "", ""]), encoding="utf-8")
    corpus = find_corpus(str(table), None)
    splits = [pairs_of(text) for text in (corpus.train, corpus.valid, corpus.test)]
    assert sum(map(len, splits)) == 300
    assert all(source and target for split in splits for source, target in split)
    assert sum(corpus.report[split]["empty"] for split in SPLITS) == 200


def test_a_table_too_small_for_three_splits_is_refused_with_how_it_was_split(tmp_path: Path) -> None:
    (tmp_path / "few.tsv").write_text("one\tun\ntwo\tdeux\n")
    with pytest.raises(DataError, match=r"no pairs for \w+ .*\nthe pairs were split by source sentence .* 5% each"):
        find_corpus(str(tmp_path / "few.tsv"), None)


def tables(folder: Path, content: str, ending: str = ".tsv") -> str:
    for split in SPLITS:
        (folder / f"{split}{ending}").write_text(content, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("content", "layout", "pairs"),
    [
        ("1\tone\t7\tun\n", TableLayout((2, 4)), [("one", "un")]),
        ("1\tone\t7\tun\n", TableLayout((4, 2)), [("un", "one")]),
        ("english\tfrench\n\none\tun\n", TableLayout(header=True), [("one", "un")]),
        ('"a ""b"""\t"c\td"\ne\tf\n', TableLayout(quoted=True), [('a "b"', "c\td"), ("e", "f")]),
        ('"one\nline"\tune\n', TableLayout(quoted=True), [("one line", "une")]),
        ('"Go away," he said\t"Va-t\'en"\n', TableLayout(), [('"Go away," he said', "\"Va-t'en\"")]),
    ],
)  # fmt: skip
def test_the_cells_of_a_table_are_chosen(
    tmp_path: Path, pairs_of: PairsOf, content: str, layout: TableLayout, pairs: list[tuple[str, str]]
) -> None:
    assert pairs_of(find_corpus(tables(tmp_path, content), None, layout=layout).test) == pairs


def test_commas_separate_the_cells_of_a_csv_file(tmp_path: Path, pairs_of: PairsOf) -> None:
    folder = tables(tmp_path, '1,"Yes, sir",Oui\r\n2,No,"Non, ""non"""\r\n', ".csv")
    corpus = find_corpus(folder, None, layout=TableLayout((2, 3)))
    assert pairs_of(corpus.test) == [("Yes, sir", "Oui"), ("No", 'Non, "non"')]
    assert pairs_of(find_corpus(folder, None, layout=TableLayout((3, 2))).test)[0] == ("Oui", "Yes, sir")


@pytest.mark.parametrize(
    ("name", "content", "layout", "message"),
    [
        (
            "a.tsv",
            "a\tb\tc\td\ne\tf\n",
            TableLayout((2, 4)),
            r":2: this row has 2 columns, and 2 and 4 .*\n.*--columns",
        ),
        ("a.csv", "a;b\n", TableLayout(), r":1: this line has no comma; .*with tabs, name it \.tsv"),
        ("a.csv", 'a,b\n"c,d\ne,f\n', TableLayout(), r":2: the quotes of the row that begins here are odd"),
    ],
)
def test_a_row_that_does_not_fit_is_named(
    tmp_path: Path, name: str, content: str, layout: TableLayout, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        find_corpus(str(tmp_path / name), None, layout=layout)


def test_a_language_with_a_region_is_found_and_told_again(folder: Path) -> None:
    for split in SPLITS:
        (folder / f"{split}.fr").rename(folder / f"{split}.pt-BR")
    corpus = find_corpus(str(folder), None)
    assert (corpus.source_language, corpus.target_language) == ("en", "pt-BR")
    assert find_corpus(str(folder), "pt-BR-en").source_language == "pt-BR"
