"""Tatoeba from a small archive in the layout in which it is published, and the real one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelCorpus, ParallelText
from lstmdrop_tasks.mt.corpora.published import NUM_HELD_OUT
from lstmdrop_tasks.mt.corpora.splitting import sentence_key

Pairs = list[tuple[str, str]]
PairsOf = Callable[[ParallelText], Pairs]

ROWS = [
    (f"Sentence {number}{end}", f"{start} numéro {number} !")
    for number in range(200)
    for end, start in ((".", "Phrase"), ("!", "La phrase"), (".", "Cette phrase"))
]


def write_archive(folder: Path, table: str, name: str = "fra.txt") -> Path:
    folder.mkdir(parents=True)
    archive = folder / "fra-eng.zip"
    with zipfile.ZipFile(archive, "w") as contents:
        contents.writestr("_about.txt", "About this archive.\n")
        contents.writestr("__MACOSX/._fra.txt", b"\x00\xff")
        contents.writestr(name, table)
    return archive


def table_of(rows: Pairs) -> str:
    return "".join(f"{english}\t{french}\n" for english, french in rows)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    write_archive(tmp_path / "data" / "tatoeba", table_of(ROWS))
    return tmp_path / "data"


def splits_of(corpus: ParallelCorpus, pairs_of: PairsOf) -> dict[str, Pairs]:
    return {"train": pairs_of(corpus.train), "valid": pairs_of(corpus.valid), "test": pairs_of(corpus.test)}


def require_no_sentence_in_two_splits(splits: dict[str, Pairs]) -> None:
    for one, other in combinations(splits.values(), 2):
        for side in (0, 1):
            assert not {sentence_key(pair[side]) for pair in one} & {sentence_key(pair[side]) for pair in other}


def test_no_sentence_is_in_two_splits_and_all_rows_are_accounted_for(data_dir: Path, pairs_of: PairsOf) -> None:
    corpus = find_corpus("tatoeba", "en-fr", data_dir)
    splits = splits_of(corpus, pairs_of)
    require_no_sentence_in_two_splits(splits)
    assert {split: len(pairs) for split, pairs in splits.items()} == {"train": 540, "valid": 10, "test": 10}
    assert set().union(*splits.values()) <= set(ROWS)
    for split in ("valid", "test"):
        assert corpus.report[split]["further_translation"] == 20
    assert sum(int(str(corpus.report[split]["read"])) for split in splits) == len(ROWS)
    assert "by English sentence" in str(corpus.report["settings"]["split"])


def test_the_split_is_the_same_every_time_and_in_both_directions(
    data_dir: Path, tmp_path: Path, pairs_of: PairsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = splits_of(find_corpus("tatoeba", "en-fr", data_dir), pairs_of)
    back = splits_of(find_corpus("tatoeba", "fr-en", data_dir), pairs_of)
    assert {split: [(english, french) for french, english in pairs] for split, pairs in back.items()} == first
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "another cache"))
    assert splits_of(find_corpus("tatoeba", "en-fr", data_dir), pairs_of) == first


def test_the_order_of_the_table_changes_no_test_sentence(data_dir: Path, tmp_path: Path, pairs_of: PairsOf) -> None:
    write_archive(tmp_path / "shuffled" / "tatoeba", table_of(ROWS[::-1]))
    texts = [find_corpus("tatoeba", None, folder).test for folder in (data_dir, tmp_path / "shuffled")]
    keys = [{sentence_key(english) for english, _ in pairs_of(text)} for text in texts]
    assert keys[0] == keys[1]


def test_later_releases_have_a_third_column_and_no_folder(data_dir: Path, tmp_path: Path, pairs_of: PairsOf) -> None:
    credited = "".join(f"{english}\t{french}\tCC-BY 2.0 (France) #1\n" for english, french in ROWS)
    write_archive(tmp_path / "later" / "tatoeba", credited, "fra-eng/fra.txt")
    early, later = (find_corpus("tatoeba", None, folder) for folder in (data_dir, tmp_path / "later"))
    assert splits_of(early, pairs_of) == splits_of(later, pairs_of)


@pytest.mark.parametrize(
    ("table", "message"),
    [("Go.\tVa !\nRun.\n", r"fra\.txt:2: this line has no tab"), ("Go.\tVa !\n", r"no pairs for train")],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, table: str, message: str) -> None:
    write_archive(tmp_path / "tatoeba", table)
    with pytest.raises(DataError, match=message):
        find_corpus("tatoeba", None, tmp_path)


def test_damaged_and_other_archives_are_refused(data_dir: Path, tmp_path: Path) -> None:
    archive = data_dir / "tatoeba" / "fra-eng.zip"
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(DataError, match=rf"{archive}: the archive is damaged .*get it again"):
        find_corpus("tatoeba", None, data_dir)
    write_archive(tmp_path / "other" / "tatoeba", "Go.\tGeh.\n", "deu.txt")
    with pytest.raises(DataError, match=r"there is no fra\.txt in it"):
        find_corpus("tatoeba", None, tmp_path / "other")


@pytest.mark.slow
def test_the_real_one_is_dealt_out_by_english_sentence(shared_tatoeba: Path, pairs_of: PairsOf) -> None:
    corpus = find_corpus("tatoeba", "en-fr", shared_tatoeba)
    splits = splits_of(corpus, pairs_of)
    require_no_sentence_in_two_splits(splits)
    assert len(splits["test"]) == NUM_HELD_OUT
    # Of a few sentences, every translation is in the test.
    assert NUM_HELD_OUT - 10 < len(splits["valid"]) <= NUM_HELD_OUT
    assert len(splits["train"]) > 150_000
    assert sum(int(str(corpus.report[split]["read"])) for split in splits) == 167_130
