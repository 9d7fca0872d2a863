"""The dataset commands."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.data import (
    DAY,
    describe_text,
    find_dataset,
    list_cache,
    list_datasets,
    prepare_dataset,
    prune_cache,
    verify_dataset,
)
from lstmdrop.errors import DataError, UsageError
from lstmdrop.plugin import installed_tasks

Command = Callable[..., Any]


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
    assert described[:4] == ["train.en", "train.fr", "valid.en", "valid.fr"]
    train, valid = list(describe_text(tmp_path))[4:6]
    assert (
        train == f"{tmp_path}, train: 1 pairs; en 4.0 words a sentence (at most 4), fr 4.0 words a sentence (at most 4)"
    )
    assert valid == f"{tmp_path}, valid: {train.partition(': ')[2]}; en 25.0% and fr 25.0% not in the training text"


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no text"):
        list(describe_text(tmp_path))


def test_a_dataset_that_is_there_in_part_is_not_listed_as_there(tmp_path: Path, lstmdrop: Command) -> None:
    (tmp_path / "ptb").mkdir()
    (tmp_path / "ptb/ptb.train.txt").write_text("a text\n")
    (row,) = [row for row in list_datasets(tmp_path) if row.name == "ptb"]
    assert (row.folder, row.is_whole) == (tmp_path / "ptb", False)
    listed = lstmdrop("data", "list", "--data-dir", str(tmp_path)).output
    assert f"in part: {tmp_path / 'ptb'}" in listed


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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One entry of each kind that the tasks make, a dataset, and what somebody else put there."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LSTMDROP_CACHE", str(folder))
    name = "0123456789abcdef" * 2
    for place in (
        f"tokens/{name}/tokens.bin", f"features/{name}/index.json", f"images/{name}/index.json", f"digests/{name}",
        f"corpora/demo-{name}/train.txt", f"corpora/own-en-fr-{name[:16]}/report.json", "demo/digits-1/a.flac",
        f"tokens/.{name}.89abcdef/tokens.bin", "datasets/ptb/ptb.train.txt", "images/holiday.jpg", "mine/notes.txt",
    ):  # fmt: skip
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(bytes(100))
    return folder


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_cache_is_listed_and_pruned_of_what_can_be_made_again(cache: Path, lstmdrop: Command) -> None:
    kept = {"datasets/ptb/ptb.train.txt", "images/holiday.jpg", "mine/notes.txt"}
    unfinished = {path for path in files_in(cache) if path.startswith("tokens/.")}
    listed = lstmdrop("data", "cache").output
    assert {line.split()[0] for line in listed.splitlines()} == {
        "tokens", "features", "images", "digests", "corpora", "demo", "datasets"
    }  # fmt: skip
    assert lstmdrop("data", "cache", "--older-than", "1").output == ""
    assert lstmdrop("data", "cache", "--prune", "--older-than", "1").messages.startswith("0.0 MiB freed by 0 entries")
    outcome = lstmdrop("data", "cache", "--prune")
    assert outcome.code == 0
    assert "freed by 7 entries" in outcome.messages
    assert files_in(cache) == kept | unfinished  # it may still be being made
    for path in cache.glob("tokens/.*"):
        for old in (path, *path.iterdir()):
            os.utime(old, (0, 0))
    (again,) = json.loads(lstmdrop("data", "cache", "--prune", "--json").output)
    assert again["kind"] == "tokens"
    assert files_in(cache) == kept


def test_without_a_cache_there_is_nothing_to_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lstmdrop: Command
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "none"))
    assert lstmdrop("data", "cache", "--prune").output == ""
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_listed_by_size_with_the_age_of_what_is_newest(cache: Path) -> None:
    tokens = cache / "tokens" / ("0123456789abcdef" * 2)
    (tokens / "more").mkdir()
    (tokens / "more" / "offsets.bin").write_bytes(bytes(900))
    now = time.time()
    for path in (tokens / "more" / "offsets.bin", tokens / "more", tokens / "tokens.bin", tokens):
        os.utime(path, (now - 9 * DAY, now - 9 * DAY))
    os.utime(tokens / "tokens.bin", (now - 3 * DAY, now - 3 * DAY))
    largest, *others = list_cache()
    folder = (tokens / "more").lstat().st_size
    assert (largest.kind, largest.num_bytes, largest.path) == ("tokens", 1000 + folder, tokens)
    assert largest.days == pytest.approx(3.0, abs=0.01)
    assert [entry.num_bytes for entry in others] == sorted((entry.num_bytes for entry in others), reverse=True)
    assert [entry.path for entry in list_cache(2.9)] == [tokens]
    assert list_cache(3.1) == []


def test_what_a_link_in_the_cache_points_to_is_left_alone(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    link = cache / "features" / ("fedcba9876543210" * 2)
    link.symlink_to(tmp_path / "precious")
    assert link in [entry.path for entry in prune_cache()]
    assert not link.is_symlink()
    assert (tmp_path / "precious" / "file").read_text() == "mine"
    assert [entry.kind for entry in list_cache() if not entry.path.name.startswith(".")] == ["datasets"]


def test_a_text_is_described_whole_and_in_the_order_of_the_splits(tmp_path: Path) -> None:
    for name in ("test.en", "train.en", "valid.en"):
        (tmp_path / name).write_text("a a b\n\nc d e f\n" if name == "train.en" else "a\n")
    lines = list(describe_text(tmp_path))
    assert [Path(line.partition(": ")[0]).name for line in lines] == ["train.en", "valid.en", "test.en"]
    assert lines[0].endswith("3 lines, 7 words, 6 different, longest line 4 words")
    assert next(describe_text(tmp_path / "train.en")) == lines[0]


def test_files_are_missing_or_differ_or_are_the_published_ones(tmp_path: Path) -> None:
    (tmp_path / "ptb").mkdir()
    (tmp_path / "ptb" / "ptb.train.txt").write_text("not it")
    assert verify_dataset("ptb", tmp_path) == [
        ("ptb.train.txt", "differs"),
        ("ptb.valid.txt", "missing"),
        ("ptb.test.txt", "missing"),
    ]
