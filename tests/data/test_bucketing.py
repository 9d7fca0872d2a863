"""Laws of batches by number of tokens."""

from __future__ import annotations

import numpy as np
import pytest

from lstmdrop.data.bucketing import token_batches

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


@pytest.mark.parametrize(("lengths", "expected"), [([], []), ([500], [[0]]), ([500, 500], [[0], [1]])])
def test_a_sequence_that_is_too_long_is_a_batch_of_its_own(lengths: list[int], expected: list[list[int]]) -> None:
    assert sorted(batches(lengths=np.array(lengths, np.int64))) == expected
