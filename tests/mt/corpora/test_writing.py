from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.text import read_lines
from lstmdrop_tasks.mt.corpora.parallel import PairBlock, ParallelText, first_occurrences, pair_hashes
from lstmdrop_tasks.mt.corpora.recipe import write_different_pairs, write_pairs

BLOCKS = [
    PairBlock(["one", "two", "one", "", "one two"], ["un", "deux", "un", "", "trois"]),
    PairBlock(["one", "one", "", "two", "one"], ["une", "un", "", "deux", "two trois"]),
]


@pytest.fixture
def text(tmp_path: Path) -> ParallelText:
    return ParallelText(tmp_path / "train.en", tmp_path / "train.fr")


def pairs_of(text: ParallelText) -> list[tuple[str, str]]:
    return list(zip(read_lines(text.source), read_lines(text.target), strict=True))


def test_all_pairs_are_written_in_their_order(text: ParallelText) -> None:
    assert write_pairs(BLOCKS, text) == 10
    assert pairs_of(text) == [pair for block in BLOCKS for pair in zip(*block[:2], strict=True)]


def test_of_equal_pairs_the_first_is_written(text: ParallelText) -> None:
    assert write_different_pairs(BLOCKS, text) == (6, 4)
    assert pairs_of(text) == [
        ("one", "un"), ("two", "deux"), ("", ""), ("one two", "trois"), ("one", "une"), ("one", "two trois"),
    ]  # fmt: skip
    assert sorted(path.name for path in text.source.parent.iterdir()) == ["train.en", "train.fr"]


def test_no_pairs_make_empty_files(text: ParallelText) -> None:
    assert write_pairs([], text) == 0
    assert write_different_pairs([], text) == (0, 0)
    assert text.source.read_bytes() == text.target.read_bytes() == b""


def test_where_a_pair_is_divided_makes_a_difference() -> None:
    assert len(set(np.frombuffer(pair_hashes(PairBlock(["a b", "a", ""], ["", "b", "a b"])), dtype="<u8"))) == 3


@given(st.lists(st.integers(0, 12)), st.integers(1, 7))
def test_first_occurrences_are_those_of_a_plain_search(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], bucket_size: int
) -> None:
    path = tmp_path_factory.mktemp("hashes") / "hashes"
    path.write_bytes(np.array(values, dtype="<u8").tobytes())
    expected = [value not in values[:place] for place, value in enumerate(values)]
    assert first_occurrences(path, bucket_size).tolist() == expected
