"""Many sequences at once are searched as each alone is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.decoding.ctc_batch import prefix_beam_searches
from lstmdrop.decoding.ctc_search import CTCBeamSettings, prefix_beam_search


def outputs(num_steps: int, num_rows: int, num_tokens: int, seed: int, sharpness: float) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal((num_steps, num_rows, num_tokens))
    return (logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)).astype(np.float32)


def require_alike(log_probs: np.ndarray, lengths: list[int], blank: int, how: CTCBeamSettings) -> None:
    together = prefix_beam_searches(log_probs, lengths, blank, how)
    assert len(together) == len(lengths)
    for row, (length, found) in enumerate(zip(lengths, together, strict=True)):
        alone = prefix_beam_search(log_probs[:length, row], blank, how)
        assert [one.tokens for one in found] == [one.tokens for one in alone]
        for one, other in zip(found, alone, strict=True):
            assert (one.log_prob, one.score) == pytest.approx((other.log_prob, other.score), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_finds_what_it_finds_alone(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, 14), min_size=1, max_size=4))
    num_tokens = data.draw(st.integers(2, 6))
    beam_size = data.draw(st.sampled_from([1, 2, 3, 8, 40]))
    how = CTCBeamSettings(
        beam_size=beam_size,
        num_best=data.draw(st.integers(1, beam_size)),
        length_bonus=data.draw(st.sampled_from([0.0, 0.7, -0.5])),
        prune=data.draw(st.sampled_from([0.5, 3.0, math.inf])),
    )
    sharpness = data.draw(st.sampled_from([0.5, 2.0, 6.0]))
    log_probs = outputs(max(lengths), len(lengths), num_tokens, data.draw(st.integers(0, 1_000)), sharpness)
    require_alike(log_probs, lengths, data.draw(st.integers(0, num_tokens - 1)), how)


@pytest.mark.parametrize("beam_size", [2, 5])
def test_equals_are_ordered_as_in_one_alone(beam_size: int) -> None:
    """All tokens alike, and steps that only one token can say."""
    log_probs = np.full((6, 3, 4), math.log(0.25), np.float32)
    log_probs[2:4, 1] = -math.inf
    log_probs[2:4, 1, 3] = 0.0
    require_alike(log_probs, [6, 6, 4], 0, CTCBeamSettings(beam_size=beam_size, num_best=beam_size))


def test_a_prefix_that_left_the_beam_is_the_same_when_it_comes_again() -> None:
    """Its longer ones, which stayed, then go on from it again."""
    for seed in range(40):
        log_probs = outputs(30, 2, 3, seed, 1.0)
        require_alike(log_probs, [30, 25], 0, CTCBeamSettings(beam_size=3, num_best=3))


def test_no_sequences_find_nothing() -> None:
    assert prefix_beam_searches(np.zeros((0, 0, 3), np.float32), [], 0, CTCBeamSettings()) == []
