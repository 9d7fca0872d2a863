from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary, count_vocabulary
from lstmdrop.errors import DataError

COUNTS = st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 50), max_size=30)


def test_frequent_tokens_come_first_and_ties_in_alphabetical_order() -> None:
    vocabulary = count_vocabulary({"b": 3, "a": 3, "c": 9, EOS: 5})
    assert vocabulary.tokens == ("c", EOS, "a", "b", UNK)


def test_rare_tokens_are_left_out_but_never_the_special_ones() -> None:
    assert set(count_vocabulary({"a": 3, "b": 1}, min_count=2).tokens) == {"a", EOS, UNK}
    assert count_vocabulary({"a": 3, "b": 2, EOS: 1}, max_size=3).tokens == ("a", EOS, UNK)
    assert set(count_vocabulary({"a": 3}, max_size=2).tokens) == {EOS, UNK}


@given(COUNTS, st.integers(1, 60), st.none() | st.integers(2, 40))
def test_what_is_kept_is_at_least_as_frequent_as_what_is_not(
    counts: dict[str, int], min_count: int, max_size: int | None
) -> None:
    vocabulary = count_vocabulary(counts, min_count=min_count, max_size=max_size)
    kept = [counts[token] for token in vocabulary.tokens if token not in (EOS, UNK)]
    lost = [count for token, count in counts.items() if token not in vocabulary]
    assert kept == sorted(kept, reverse=True)
    assert min(kept, default=60) >= min_count
    assert max_size is None or len(vocabulary) <= max_size
    if max_size is None or len(vocabulary) < max_size:
        assert max(lost, default=0) < min_count
    else:
        assert max(lost, default=0) <= max(min(kept, default=50), min_count)


@given(COUNTS)
def test_ids_and_tokens_are_each_others_inverse(counts: dict[str, int]) -> None:
    vocabulary = count_vocabulary(counts)
    assert [vocabulary.id_of(token) for token in vocabulary.tokens] == list(range(len(vocabulary)))
    assert tuple(map(vocabulary.token_of, range(len(vocabulary)))) == vocabulary.tokens


@given(COUNTS)
def test_saving_loses_nothing(tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]) -> None:
    vocabulary = count_vocabulary(counts)
    path = tmp_path_factory.mktemp("saved") / "vocabulary.json"
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert Vocabulary.load(path).sha256 == vocabulary.sha256


def test_unknown_tokens_and_ids() -> None:
    vocabulary = count_vocabulary({"a": 1})
    assert vocabulary.id_of("zebra") == vocabulary.unk
    for number in (-1, 3):
        with pytest.raises(LookupError, match="from 0 to 2"):
            vocabulary.token_of(number)


def test_what_is_no_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        Vocabulary(("a", "a", EOS, UNK))
    with pytest.raises(ValueError, match="lacks <unk>"):
        Vocabulary(("a", EOS))
    with pytest.raises(ValueError, match="min_count is 0"):
        count_vocabulary({}, min_count=0)
    with pytest.raises(ValueError, match="max_size is 1"):
        count_vocabulary({}, max_size=1)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"tokens": [1, 2]}', b'{"tokens": ["a"]}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"vocabulary\.json: the vocabulary is damaged"):
        Vocabulary.load(path)
    with pytest.raises(DataError, match=r"none\.json: no such vocabulary"):
        Vocabulary.load(tmp_path / "none.json")
