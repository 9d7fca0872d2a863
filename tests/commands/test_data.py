"""The dataset commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop.commands.data import describe_text, find_dataset, list_datasets, prepare_dataset, verify_dataset
from lstmdrop.discovery import installed_tasks
from lstmdrop.errors import DataError, UsageError


def test_every_dataset_names_its_task_and_licence() -> None:
    rows = list_datasets()
    assert {"ptb", "wikitext-2", "wikitext-103", "text8", "demo"} <= {row.name for row in rows}
    assert all(row.task and row.summary and row.licence for row in rows)


def test_an_unknown_dataset_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'ptb'"):
        find_dataset("ptbb")


def test_files_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for split in ("train", "valid", "test"):
        (source / f"ptb.{split}.txt").write_text("not the treebank\n")
    with pytest.raises(DataError, match=r"ptb\.train\.txt"):
        prepare_dataset("ptb", source, tmp_path / "data")


def test_the_treebank_is_the_published_one(shared_data: Path) -> None:
    assert [status for _, status in verify_dataset("ptb", shared_data)] == ["ok", "ok", "ok"]


def test_a_text_is_described_by_lines_words_and_different_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat\nthe dog sat\n")
    (line,) = describe_text(tmp_path)
    assert "2 lines, 5 words, 4 different, longest line 3 words" in line


def test_the_splits_of_a_folder_of_pairs_are_described(tmp_path: Path) -> None:
    for name in ("train.en", "train.fr", "valid.en", "valid.fr", "notes.md"):
        (tmp_path / name).write_text(f"the cat in {name}\n")
    described = [Path(line.partition(": ")[0]).name for line in describe_text(tmp_path)]
    assert described == ["train.en", "train.fr", "valid.en", "valid.fr"]


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no text"):
        list(describe_text(tmp_path))


def test_a_built_in_dataset_has_nothing_to_fetch_or_check(tmp_path: Path) -> None:
    assert prepare_dataset("demo", data_dir=tmp_path) is None
    assert verify_dataset("demo", tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_the_name_of_a_built_in_dataset_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "ptb").mkdir()
    folders = {(row.task, row.name): row.folder for row in list_datasets(tmp_path)}
    assert folders["lm", "demo"] is folders["mt", "demo"] is None
    assert folders["lm", "ptb"] == tmp_path / "ptb"


def test_a_name_stands_for_one_published_dataset_and_demo_for_one_of_every_task() -> None:
    rows = list_datasets()
    assert [row.task for row in rows if row.name == "demo"] == installed_tasks()
    published = [row.name for row in rows if not row.is_built_in]
    assert len(set(published)) == len(published)
