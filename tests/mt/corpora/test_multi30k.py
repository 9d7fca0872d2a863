"""Multi30k from small files in the layout in which it is published, and the real one."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.commands.data import prepare_dataset
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelText

PairsOf = Callable[[ParallelText], list[tuple[str, str]]]
SIZES = {"train": 5, "val": 3, "test_2016_flickr": 2}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "multi30k"
    folder.mkdir(parents=True)
    for split, size in SIZES.items():
        for language in ("en", "fr", "de"):
            lines = "".join(f"{split} {number} in {language}\n" for number in range(size))
            (folder / f"{split}.{language}.gz").write_bytes(gzip.compress(lines.encode()))
    return folder.parent


@pytest.mark.parametrize("pair", ["en-fr", "fr-en", "en-de", "de-en", "fr-de", "de-fr"])
def test_any_two_of_the_three_languages_make_a_pair(data_dir: Path, pairs_of: PairsOf, pair: str) -> None:
    corpus = find_corpus("multi30k", pair, data_dir)
    assert f"{corpus.source_language}-{corpus.target_language}" == pair
    for text, (split, size) in zip((corpus.train, corpus.valid, corpus.test), SIZES.items(), strict=True):
        published = [tuple(f"{split} {number} in {code}" for code in pair.split("-")) for number in range(size)]
        assert pairs_of(text) == published
    assert corpus.report["test"] == {"read": 2, "kept": 2}
    assert "test_2016_flickr" in str(corpus.report["settings"]["split"])


def test_a_pair_that_it_does_not_have_is_refused(data_dir: Path) -> None:
    with pytest.raises(ConfigError, match="multi30k has no pair 'en-cs'; it has: en-fr, fr-en"):
        find_corpus("multi30k", "en-cs", data_dir)


def test_a_missing_file_is_named_with_the_command_that_gets_it(data_dir: Path) -> None:
    (data_dir / "multi30k" / "val.fr.gz").unlink()
    with pytest.raises(DataError, match=r"lacks val\.fr\.gz\nget it with: lstmdrop data prepare multi30k"):
        find_corpus("multi30k", "en-fr", data_dir)
    assert find_corpus("multi30k", "en-de", data_dir).report["valid"]["kept"] == 3


def test_a_missing_dataset_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTMDROP_DATA", raising=False)
    with pytest.raises(DataError, match=rf"looked for {tmp_path / 'multi30k'}.*\nget it: lstmdrop data prepare"):
        find_corpus("multi30k", None, tmp_path)


def test_sides_of_different_length_are_named_with_their_line(data_dir: Path) -> None:
    path = data_dir / "multi30k" / "train.fr.gz"
    path.write_bytes(gzip.compress(b"un\ndeux\n"))
    with pytest.raises(DataError, match=rf"{path}:2: this is the last line, and .*train\.en\.gz has 5"):
        find_corpus("multi30k", "en-fr", data_dir)


def test_files_that_are_not_the_published_ones_are_not_taken(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.en\.gz: this is not the published file"):
        prepare_dataset("multi30k", data_dir / "multi30k", tmp_path / "other")


def test_the_real_one_has_its_published_counts(shared_multi30k: Path) -> None:
    corpus = find_corpus("multi30k", "en-fr", shared_multi30k)
    assert {split: corpus.report[split]["kept"] for split in ("train", "valid", "test")} == {
        "train": 29_000, "valid": 1_014, "test": 1_000,
    }  # fmt: skip
