"""Laws of batches by number of tokens."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.batching import _bounds, token_batches

LENGTHS = np.random.default_rng(0).integers(1, 40, 500)


def batches(seed: int = 1, max_tokens: int = 120, lengths: np.ndarray = LENGTHS) -> list[list[int]]:
    return [batch.tolist() for batch in token_batches(lengths, max_tokens, np.random.default_rng(seed))]


def test_every_sequence_comes_once() -> None:
    assert sorted(number for batch in batches() for number in batch) == list(range(len(LENGTHS)))


def test_no_padded_batch_is_larger_than_allowed_and_none_could_take_the_next() -> None:
    in_order = sorted(batches(), key=lambda batch: LENGTHS[batch].max())
    for batch in in_order:
        assert len(batch) * LENGTHS[batch].max() <= 120
    sizes = [(len(batch), LENGTHS[batch].max()) for batch in in_order]
    assert sum(size for size, _ in sizes) / sum(size * longest for size, longest in sizes) * LENGTHS.mean() > 0.9


def test_a_seed_gives_an_order_and_another_one_another_of_as_many() -> None:
    assert batches(1) == batches(1)
    assert batches(1) != batches(2)
    assert len(batches(1)) == len(batches(2))


def test_equal_lengths_meet_different_company() -> None:
    equal = np.full(40, 3)
    assert {tuple(sorted(batch)) for batch in batches(1, 12, equal)} != {
        tuple(sorted(batch)) for batch in batches(2, 12, equal)
    }


def bounds_one_by_one(rising: list[int], max_tokens: int) -> list[int]:
    bounds = [0]
    for number, length in enumerate(rising):
        if (number + 1 - bounds[-1]) * max(1, length) > max_tokens and number > bounds[-1]:
            bounds.append(number)
    return [*bounds, len(rising)] if rising else bounds


@given(st.lists(st.integers(0, 15)), st.integers(1, 40))
def test_bounds_are_those_of_filling_one_by_one(lengths: list[int], max_tokens: int) -> None:
    rising = sorted(lengths)
    assert _bounds(np.array(rising, np.int64), max_tokens) == bounds_one_by_one(rising, max_tokens)


@pytest.mark.parametrize("longest", [100, 1 << 17])
def test_the_order_is_that_of_a_plain_sort(longest: int) -> None:
    lengths = np.random.default_rng(3).integers(1, longest, 300)
    generator = np.random.default_rng(4)
    shuffled = generator.permutation(300).tolist()
    order = sorted(shuffled, key=lambda number: lengths[number])
    bounds = bounds_one_by_one([lengths[number] for number in order], 120)
    expected = [order[start:end] for start, end in pairwise(bounds)]
    assert batches(4, 120, lengths) == [expected[number] for number in generator.permutation(len(expected))]


def test_an_epoch_over_five_million_sequences_is_planned_in_seconds() -> None:
    lengths = np.random.default_rng(0).integers(1, 80, 5_000_000)
    started = time.process_time()
    assert len(token_batches(lengths, 4096, np.random.default_rng(1))) > 40_000
    assert time.process_time() - started < 4


@pytest.mark.parametrize(("lengths", "expected"), [([], []), ([500], [[0]]), ([500, 500], [[0], [1]])])
def test_a_sequence_that_is_too_long_is_a_batch_of_its_own(lengths: list[int], expected: list[list[int]]) -> None:
    assert sorted(batches(lengths=np.array(lengths, np.int64))) == expected


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 80), st.integers(0, 9))
def test_whatever_the_lengths_every_batch_is_full_and_of_like_lengths(
    lengths: list[int], max_tokens: int, seed: int
) -> None:
    found = batches(seed, max_tokens, np.array(lengths, np.int64))
    assert sorted(number for batch in found for number in batch) == list(range(len(lengths)))
    in_order = sorted(found, key=lambda batch: (lengths[batch[0]], lengths[batch[-1]], -len(batch)))
    for batch in in_order:
        longest = max(lengths[number] for number in batch)
        assert len(batch) == 1 or len(batch) * longest <= max_tokens
    for batch, following in pairwise(in_order):
        assert max(lengths[number] for number in batch) <= min(lengths[number] for number in following)
        next_longer = min(lengths[number] for number in following)
        assert (len(batch) + 1) * next_longer > max_tokens  # there was no room for the next


def test_batches_come_in_no_order_of_length() -> None:
    longest = [int(LENGTHS[batch].max()) for batch in batches()]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def test_sequences_without_a_token_take_no_room_but_are_counted() -> None:
    found = batches(1, 4, np.zeros(10, np.int64))
    assert sorted(len(batch) for batch in found) == [2, 4, 4]
