"""Laws of what a run counts, of its rate by epoch, and of the random numbers that it draws."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.config import TrainingConfig
from lstmdrop.metrics.score import Score
from lstmdrop.training.checkpoint import load_random_state, random_state
from lstmdrop.training.optimizer import rate_at
from lstmdrop.training.progress import Progress

CPU = torch.device("cpu")
GOOD, BETTER = (Score("perplexity", 9.0, False, "a"),), (Score("perplexity", 8.0, False, "a"),)


def test_items_are_counted_for_the_run_the_epoch_and_the_log_each_by_itself() -> None:
    progress = Progress()
    progress.count(5)
    progress.start_log_interval()
    progress.count(7)
    assert (progress.items, progress.epoch_items, progress.logged_items) == (12, 12, 7)
    progress.start_epoch(())
    progress.count(1)
    assert (progress.items, progress.epoch_items, progress.logged_items) == (13, 1, 8)


def test_a_log_interval_begins_at_the_seconds_spent_so_far() -> None:
    progress = Progress(seconds=2.5, logged_items=3)
    progress.start_log_interval()
    assert (progress.logged_items, progress.logged_seconds, progress.seconds) == (0, 2.5, 2.5)


def test_an_epoch_begins_at_its_first_step_and_counts_those_without_a_better_score() -> None:
    progress = Progress(position=4, step=4)
    seen = []
    for reached in (GOOD, (), (), BETTER, ()):
        progress.position = 4
        progress.start_epoch(reached)
        seen.append((progress.epoch, progress.position, progress.epochs_since_best, progress.best))
    assert seen == [(2, 0, 0, GOOD), (3, 0, 1, GOOD), (4, 0, 2, GOOD), (5, 0, 0, BETTER), (6, 0, 1, BETTER)]
    assert progress.step == 4


counts = st.integers(0, 10**12)


@given(counts, counts, counts, st.floats(0, 1e9), st.sampled_from([(), GOOD, (*GOOD, *BETTER)]))
def test_what_was_counted_survives_a_checkpoint(
    step: int, items: int, logged: int, seconds: float, best: tuple[Score, ...]
) -> None:
    progress = Progress(3, step // 2, step, items, seconds, items // 2, logged, seconds / 2, best, 1)
    written = json.loads(json.dumps({**progress.as_json(), "of a later version": 1}))
    assert Progress.from_json(written) == progress


@given(st.floats(1e-3, 10), st.floats(1, 4), st.integers(0, 6), st.integers(1, 20))
def test_the_rate_is_full_and_then_divided_before_each_epoch(rate: float, decay: float, full: int, epoch: int) -> None:
    config = TrainingConfig(rate=rate, decay=decay, decay_after=full)
    now, later = rate_at(config, epoch), rate_at(config, epoch + 1)
    if epoch < full:
        assert now == later == rate
    else:
        assert now / later == pytest.approx(decay)
    assert rate_at(config, max(full, 1)) == pytest.approx(rate if full else rate / decay)


def test_numbers_are_drawn_on_as_if_nothing_had_happened() -> None:
    torch.manual_seed(3)
    torch.rand(5)
    state = random_state(CPU)
    kept = {name: value.clone() for name, value in state.items()}
    expected = torch.rand(4)
    torch.manual_seed(99)
    load_random_state(kept, CPU)
    assert torch.equal(torch.rand(4), expected)
    assert list(state) == ["cpu"]
    load_random_state({**kept, "cuda": torch.zeros(1)}, CPU)  # of a run that was on a GPU
    assert torch.equal(torch.rand(4), expected)


def test_looking_at_the_state_draws_nothing() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    random_state(CPU)
    assert torch.equal(torch.rand(4), expected)
