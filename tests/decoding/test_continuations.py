"""Laws of the likeliest continuations, beside a plain sort of all of them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.decoding.beam import Continuations, largest, likeliest_continuations

NEVER = -math.inf
log_probs = st.sampled_from([-0.5, -1.0, -1.5, -2.0, NEVER, math.nan])
"""Sums of these are exact, and many are equal."""


def plainly(
    live: list[float], following: list[list[float]], banned: list[int], count: int
) -> list[tuple[float, int, int]]:
    """The possible ones of a sentence: log-probability, beam, token."""
    every = [
        (old + new, beam, token)
        for beam, (old, row) in enumerate(zip(live, following, strict=True))
        for token, new in enumerate(row)
        if token not in banned and not math.isnan(new) and old + new > NEVER
    ]
    return sorted(every, key=lambda each: (-each[0], each[1], each[2]))[:count]


@given(st.data())
def test_they_are_those_of_a_plain_sort(data: st.DataObject) -> None:
    num_sentences, num_beams, vocabulary = (data.draw(st.integers(1, most)) for most in (3, 3, 6))
    count = data.draw(st.integers(1, 8))
    banned = data.draw(st.lists(st.integers(0, vocabulary - 1), max_size=2, unique=True))
    live = [data.draw(st.lists(st.sampled_from([0.0, -0.5, -1.0, NEVER]), min_size=num_beams, max_size=num_beams))
            for _ in range(num_sentences)]  # fmt: skip
    rows = [data.draw(st.lists(log_probs, min_size=vocabulary, max_size=vocabulary))
            for _ in range(num_sentences * num_beams)]  # fmt: skip
    found = likeliest_continuations(
        torch.tensor(live), torch.tensor(rows), torch.tensor(banned, dtype=torch.long), count
    )
    assert found.log_probs.shape[1] <= count
    for sentence, old in enumerate(live):
        expected = plainly(old, rows[sentence * num_beams : (sentence + 1) * num_beams], banned, count)
        parts = (part[sentence].tolist() for part in found)
        possible = [each for each in zip(*parts, strict=True) if each[0] > NEVER]
        assert possible == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 0)), min_size=1, max_size=6), st.integers(1, 6))
def test_those_that_are_kept_stay_in_their_order_and_the_others_are_impossible(
    some: list[tuple[bool, int]], count: int
) -> None:
    kept = torch.tensor([[is_kept for is_kept, _ in some]])
    numbers = torch.arange(len(some))[None]
    values = torch.tensor([[float(value) for _, value in some]])
    found = Continuations(values, numbers, 10 + numbers).only(kept, count)
    expected = [number for number, (is_kept, _) in enumerate(some) if is_kept][:count]
    assert found.log_probs.shape == (1, min(count, len(some)))
    possible = found.log_probs[0] > NEVER
    assert found.beams[0][possible].tolist() == expected
    assert found.tokens[0][possible].tolist() == [10 + number for number in expected]
    assert found.log_probs[0][possible].tolist() == [float(some[number][1]) for number in expected]


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, NEVER, math.nan]), min_size=5, max_size=5), min_size=1, max_size=4
    ),
    st.integers(1, 5),
)
def test_the_largest_come_first_and_the_earlier_among_equals(rows: list[list[float]], count: int) -> None:
    found, places = largest(torch.tensor(rows), count)
    for row, values, chosen in zip(rows, found.tolist(), places.tolist(), strict=True):
        plain = [NEVER if math.isnan(value) else value for value in row]
        order = sorted(range(5), key=lambda place: (-plain[place], place))[:count]
        assert values == [plain[place] for place in order]
        real = [place for place, value in zip(chosen, values, strict=True) if value > NEVER]
        assert real == [place for place in order if plain[place] > NEVER]
        assert len(set(chosen)) == count


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([64, 401, 1_000]), st.sampled_from([2, 50, 3_000]))
def test_equals_of_a_large_vocabulary_come_in_its_order(seed: int, count: int, vocabulary: int, levels: int) -> None:
    """Also in rows with NaN, or with hardly anything."""
    drawn = torch.Generator().manual_seed(seed)
    values = torch.randint(levels, (4, vocabulary), generator=drawn).float()
    values[1, torch.randint(vocabulary, (5,), generator=drawn)] = math.nan
    values[2, torch.randint(vocabulary, (vocabulary * 3,), generator=drawn)] = NEVER
    found, places = largest(values, count)
    plain = values.nan_to_num(NEVER, neginf=NEVER)
    expected, order = plain.sort(dim=1, descending=True, stable=True)
    assert torch.equal(found, expected[:, :count])
    real = found > NEVER
    assert torch.equal(places[real], order[:, :count][real])


@pytest.mark.parametrize(
    ("given_dtype", "live_dtype", "expected"),
    [
        (torch.bfloat16, torch.float32, torch.float32),
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float32, torch.float32),
    ],
)
def test_sums_are_made_in_the_finer_of_both_formats(
    given_dtype: torch.dtype, live_dtype: torch.dtype, expected: torch.dtype
) -> None:
    live = torch.tensor([[-100.25]], dtype=live_dtype)
    found = likeliest_continuations(
        live, torch.tensor([[-0.5, -0.25]], dtype=given_dtype), torch.zeros(0, dtype=torch.long), 2
    )
    assert found.log_probs.dtype == expected
    assert found.log_probs.tolist() == [[-100.5, -100.75]]
