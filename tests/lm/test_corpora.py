from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.data import describe_text
from lstmdrop.config import SPLITS
from lstmdrop.data.download import verify
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.corpora import (
    DATASETS,
    Corpus,
    find_corpus,
    text_oddities,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))


def write_splits(folder: Path, layout: str = "{}.txt") -> Path:
    folder.mkdir(parents=True)
    for split in ("train", "valid", "test"):
        (folder / layout.format(split)).write_text(f"the {split} text\n")
    return folder


def texts(corpus: Corpus) -> list[Path]:
    return [corpus.text(split) for split in SPLITS]


def contents(corpus: Corpus) -> list[str]:
    return [path.read_text() for path in texts(corpus)]


def test_a_folder_has_its_three_splits(tmp_path: Path) -> None:
    corpus = find_corpus(str(write_splits(tmp_path / "mine")))
    assert contents(corpus) == ["the train text\n", "the valid text\n", "the test text\n"]


@pytest.mark.parametrize(
    ("name", "layout"),
    [("ptb", "ptb.{}.txt"), ("wikitext-2", "wiki.{}.tokens"), ("wikitext-103", "wiki.{}.tokens")],
)
def test_a_known_name_is_found_in_its_published_layout(tmp_path: Path, name: str, layout: str) -> None:
    folder = write_splits(tmp_path / "data" / name, layout)
    assert find_corpus(name, tmp_path / "data").text("train") == folder / layout.format("train")
    assert contents(find_corpus(str(folder)))[1] == "the valid text\n"


def test_one_file_is_split_in_its_own_order(tmp_path: Path) -> None:
    lines = [f"line {number} é" for number in range(100)]
    text = tmp_path / "novel.txt"
    text.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    corpus = find_corpus(str(text))
    splits = [list(read_lines(path)) for path in texts(corpus)]
    assert [len(split) for split in splits] == [90, 5, 5]
    assert [line for split in splits for line in split] == lines


def test_a_split_file_is_made_once_for_its_content(tmp_path: Path) -> None:
    text = tmp_path / "novel.txt"
    text.write_text("a\nb\nc\n")
    first = find_corpus(str(text))
    copy = tmp_path / "copy.txt"
    copy.write_text("a\nb\nc\n")
    assert find_corpus(str(copy)) == first
    text.write_text("a\nb\nd\n")
    assert find_corpus(str(text)) != first
    assert contents(first) == ["a\n", "b\n", "c\n"]


def test_text8_is_split_by_characters(tmp_path: Path) -> None:
    text = "abcdefghi " * 30
    (tmp_path / "data" / "text8").mkdir(parents=True)
    (tmp_path / "data" / "text8" / "text8").write_text(text)
    corpus = find_corpus("text8", tmp_path / "data")
    assert contents(corpus) == [text[:270], text[270:285], text[285:]]


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path) -> None:
    folder = write_splits(tmp_path / "mine")
    (folder / "test.txt").write_text("")
    corpus = find_corpus(str(folder))
    with pytest.raises(DataError, match=r"test\.txt: the file is empty"):
        corpus.text("test")
    (folder / "valid.txt").unlink()
    with pytest.raises(DataError, match=r"valid\.txt: no such file[^\n]*\n.*train\.txt, valid\.txt and test\.txt"):
        corpus.text("valid")


@pytest.mark.parametrize("layout", ["{}.txt", "ptb.{}.txt", "wiki.{}.tokens"])
def test_a_split_is_found_where_the_others_are_missing(tmp_path: Path, layout: str) -> None:
    (tmp_path / layout.format("test")).write_text("the test text\n")
    assert find_corpus(str(tmp_path)).text("test") == tmp_path / layout.format("test")


def test_what_is_wrong_with_a_dataset_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTMDROP_DATA", raising=False)
    with pytest.raises(DataError, match="lstmdrop data prepare ptb"):
        find_corpus("ptb", tmp_path)
    (write_splits(tmp_path / "ptb", "ptb.{}.txt") / "ptb.valid.txt").unlink()
    with pytest.raises(DataError, match=r"ptb\.valid\.txt: no such file(.|\n)*lstmdrop data prepare ptb"):
        find_corpus("ptb", tmp_path).text("valid")
    (tmp_path / "text8").mkdir()
    with pytest.raises(DataError, match=r"text8/text8: no such file(.|\n)*lstmdrop data prepare text8"):
        find_corpus("text8", tmp_path)


def test_what_is_wrong_with_a_file_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    for content, complaint in [
        (b"", r"text\.txt: the file is empty"),
        (b"one\ntwo\n", r"text\.txt: a text of 2 line"),
        (b"one\ntwo\n\xff\n", r"text\.txt:3: .* not UTF-8"),
    ]:
        text.write_bytes(content)
        with pytest.raises(DataError, match=complaint) as caught:
            find_corpus(str(text))
        assert caught.value.exit_code == 4


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'wikitext-2'"):
        find_corpus("wikitext2")
    with pytest.raises(DataError, match="'nowhere/at/all' is neither a dataset nor a file or folder"):
        find_corpus("nowhere/at/all")


def test_every_dataset_says_what_it_is() -> None:
    assert [dataset.name for dataset in DATASETS] == ["ptb", "wikitext-2", "wikitext-103", "text8", "demo"]
    for dataset in DATASETS:
        assert dataset.summary
        assert dataset.licence
        assert dataset.task == "lm"
        for file in (*dataset.files, *dataset.archives):
            assert len(file.sha256 or 64 * "0") == 64
            assert len(file.md5 or 32 * "0") == 32
            assert file.url is not None or dataset.archives


def test_the_penn_treebank_here_is_the_published_one(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ptb"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    assert {check.status for check in verify(DATASETS[0], folder)} == {"ok"}
    shutil.copyfile(folder / "ptb.valid.txt", tmp_path / "ptb.test.txt")
    assert [check.status for check in verify(DATASETS[0], tmp_path)] == ["missing", "missing", "differs"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a b\nc d <eos>\n", "text.txt:2: the line ends in a literal <eos>"),
        ("<s> a b </s>\n", "is a word like any other"),
        ("a b\rc d\re f\n", "text.txt:1: a carriage return inside the line"),
    ],
)
def test_what_other_toolkits_write_into_a_text_is_said(tmp_path: Path, content: str, said: str) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(content.encode() * 3)
    found = list(text_oddities(text))
    assert any(said in line for line in found)
    assert len(found) == len({line.partition(": ")[2] for line in found})  # each kind once
    assert list(describe_text(text))[1:] == found


def test_a_text_without_oddities_is_not_remarked_on(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"a <unk> b\r\n\r\nN <eos> c\r\n")
    assert list(text_oddities(text)) == []


def test_a_text_of_blank_lines_alone_is_refused(build_lm: Callable[..., Any], tmp_path: Path) -> None:
    task = build_lm()
    blank = tmp_path / "blank"
    shutil.copytree(task.corpus.folder, blank)
    (blank / task.corpus.layout.format("test")).write_text("\n" * 500, encoding="utf-8")
    with pytest.raises(DataError, match="only blank lines"):
        build_lm(data=blank).store("test")


def test_texts_in_different_unicode_forms_are_said(tmp_path: Path) -> None:
    train, valid = (tmp_path / f"{split}.txt" for split in ("train", "valid"))
    train.write_text("the cat\nthe caf\u00e9\n", encoding="utf-8")
    valid.write_text("the cat\nthe cat\na cafe\u0301\n", encoding="utf-8")
    (told,) = [line for line in describe_text(tmp_path) if "code points" in line]
    assert told.startswith(f"{valid}:3: 'e\u0301' (U+0065 U+0301) is '\u00e9' (U+00E9) in {train}:2: ")
    assert list(text_oddities(train)) == list(text_oddities(valid)) == []
    valid.write_text("caf\u00e9 cafe\u0301\n" * 3, encoding="utf-8")
    (told,) = text_oddities(valid)
    assert told.startswith(f"{valid}:1: ")
