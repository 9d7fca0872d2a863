from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop_tasks.mt.corpora.parallel import PairBlock
from lstmdrop_tasks.mt.corpora.recipe import RATIO_FROM, CleaningRules, Counts, clean

Pairs = list[tuple[str, str]]


def cleaned(pairs: Pairs, rules: CleaningRules, block_size: int = 3) -> tuple[Pairs, Counts]:
    counts = Counts()
    parts = [pairs[start : start + block_size] for start in range(0, len(pairs), block_size)]
    blocks = [PairBlock([source for source, _ in part], [target for _, target in part]) for part in parts]
    return [pair for block in clean(blocks, rules, counts) for pair in zip(*block[:2], strict=True)], counts


def words(number: int) -> str:
    return " ".join(["mot"] * number)


def test_an_empty_side_is_dropped_and_counted() -> None:
    pairs = [("a", "b"), ("", "b"), ("a", ""), (" \t", "b"), ("a", "\u00a0\u3000"), ("c", "d")]
    assert cleaned(pairs, CleaningRules()) == ([("a", "b"), ("c", "d")], Counts(empty=4, too_long=0))


def test_a_block_of_which_no_line_could_be_read_is_passed_over() -> None:
    block = PairBlock(["a"], ["b"])
    assert list(clean([PairBlock([], []), block], CleaningRules(), Counts())) == [block]


@pytest.mark.parametrize("flip", [False, True])
def test_a_side_may_have_the_limit_of_words_and_no_more(flip: bool) -> None:
    pairs = [(words(5), words(1)), (words(6), words(1)), (" " + words(5) + "  ", words(5))]
    if flip:
        pairs = [(target, source) for source, target in pairs]
    kept, counts = cleaned(pairs, CleaningRules(max_words=5))
    assert kept == [pairs[0], pairs[2]]
    assert counts == {"too_long": 1, "empty": 0}


@pytest.mark.parametrize("flip", [False, True])
def test_the_ratio_counts_where_a_side_is_longer_than_a_few_words(flip: bool) -> None:
    pairs = [(words(RATIO_FROM), words(1)), (words(12), words(6)), (words(13), words(6)), (words(12), words(1))]
    if flip:
        pairs = [(target, source) for source, target in pairs]
    kept, counts = cleaned(pairs, CleaningRules(max_ratio=2.0))
    assert kept == pairs[:2]
    assert counts["ratio"] == 2


def test_a_pair_is_dropped_for_one_reason_only() -> None:
    rules = CleaningRules(max_words=20, max_ratio=2.0)
    kept, counts = cleaned([(words(99), ""), (words(99), words(1)), (words(20), words(1))], rules)
    assert kept == []
    assert counts == {"empty": 1, "too_long": 1, "ratio": 1}


SIDES = st.text(alphabet="ab \t\r\u00a0é", max_size=12)


@given(
    st.lists(st.tuples(SIDES, SIDES), max_size=12),
    st.builds(CleaningRules, max_words=st.integers(1, 6), max_ratio=st.none() | st.floats(1, 3)),
    st.integers(1, 5),
)
def test_what_stays_is_unchanged_in_order_and_all_else_is_counted(
    pairs: Pairs, rules: CleaningRules, block_size: int
) -> None:
    kept, counts = cleaned(pairs, rules, block_size)
    remaining = iter(pairs)
    assert all(pair in remaining for pair in kept)
    assert len(kept) + counts.total() == len(pairs)
    assert cleaned(pairs, rules, len(pairs) + 1) == (kept, counts)
    assert cleaned(kept, rules)[0] == kept
    for source, target in kept:
        assert source.strip()
        assert target.strip()
        assert max(len(side.encode().split()) for side in (source, target)) <= rules.max_words
