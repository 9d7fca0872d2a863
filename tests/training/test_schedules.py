"""Rates by step and by epoch, Adam, and averaging that begins by itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lstmdrop.config import TrainingConfig
from lstmdrop.errors import ConfigError
from lstmdrop.metrics.score import Score
from lstmdrop.presets import resolve
from lstmdrop.training.optimizer import changes_by_step, make_optimizer, rate_at
from lstmdrop.training.progress import Progress

SHARES = st.floats(0, 1)


def config(**settings: Any) -> TrainingConfig:
    return resolve(TrainingConfig, [settings])


@given(SHARES, SHARES, st.sampled_from(["cosine", "one-cycle"]))
def test_after_its_peak_a_wave_only_falls(first: float, second: float, schedule: str) -> None:
    first, second = sorted([0.3 + 0.7 * first, 0.3 + 0.7 * second])
    wave = config(schedule=schedule, rate=2.0)
    assert 0 <= rate_at(wave, 1, second) <= rate_at(wave, 1, first) <= 2.0


def test_waves_have_the_heights_of_their_papers() -> None:
    cosine = config(schedule="cosine", rate=2.0)
    heights = [rate_at(cosine, 1, share) for share in (0, 1 / 3, 1 / 2, 1)]
    assert heights == pytest.approx([2, 2 * (1 + math.cos(math.pi / 3)) / 2, 1, 0])
    cycle = config(schedule="one-cycle", rate=2.0, warmup=0.4)
    assert [rate_at(cycle, 1, share) for share in (0, 0.4, 1)] == pytest.approx([2 / 25, 2, 2e-4])
    assert rate_at(config(schedule="one-cycle", rate=2.0), 1, 0.3) == pytest.approx(2.0)


@given(st.sampled_from(["paper", "plateau", "cosine", "one-cycle"]), st.integers(1, 10**6), SHARES)
def test_at_no_epoch_is_there_no_rate(schedule: str, epoch: int, share: float) -> None:
    assert 0 <= rate_at(config(schedule=schedule, rate=2.0, decay=1.25), epoch, share, epoch) <= 2.0


@pytest.mark.parametrize("schedule", ["paper", "plateau", "cosine"])
def test_the_rate_rises_in_a_straight_line(schedule: str) -> None:
    rising = config(schedule=schedule, rate=2.0, warmup=0.2)
    assert [rate_at(rising, 1, share) for share in (0, 0.05, 0.1)] == pytest.approx([0, 0.5, 1])
    assert rate_at(rising, 1, 0.2) == pytest.approx(2.0)
    assert changes_by_step(rising)
    assert not changes_by_step(config(schedule="plateau"))


def test_a_plateau_lowers_the_rate_and_is_given_time_again() -> None:
    chosen = config(schedule="plateau", plateau_patience=2, plateau_factor=0.5, rate=8.0)
    progress, rates = Progress(), []
    for is_best in (True, False, False, False, False, True, False):
        progress.note(Score("loss", 1.0, False, ""), is_best, chosen)
        rates.append(rate_at(chosen, 9, 0.5, progress.num_drops))
    assert rates == [8, 8, 4, 4, 2, 2, 2]


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_the_trigger_is_an_epoch_worse_than_the_best_of_those_long_before(higher_is_better: bool) -> None:
    """Merity et al. 2018, algorithm 1, with n = 2: the last two epochs have no say."""
    chosen, progress, begun = config(average_after=2), Progress(), []
    for value in (5.0, 4.0, 3.0, 3.5, 3.9, 3.2, 1.0):
        score = Score("score", -value if higher_is_better else value, higher_is_better, "")
        progress.note(score, False, chosen)
        begun.append(progress.averages)
    assert begun == [False] * 5 + [True, True]  # 3.9 is better than 5 and 4, 3.2 is worse than 3; begun it stays


def test_without_a_trigger_nothing_begins() -> None:
    progress = Progress()
    for value in range(9):
        progress.note(Score("loss", float(value), False, ""), False, config())
    assert not progress.averages


def test_progress_of_earlier_versions_is_read() -> None:
    progress = Progress(epoch=3, history=(4.0, 3.0), num_drops=2, averages=True)
    assert Progress.from_json(progress.as_json()) == progress
    old = {key: value for key, value in progress.as_json().items() if key not in ("history", "num_drops", "averages")}
    assert Progress.from_json(old) == Progress(epoch=3)


def adam_by_hand(
    gradients: list[float], rate: float, betas: tuple[float, float], epsilon: float, decay: float
) -> float:
    """Kingma & Ba 2015, algorithm 1, with the L2 term in the gradient."""
    place, mean, square = 1.0, 0.0, 0.0
    for step, slope in enumerate(gradients, 1):
        gradient = slope + decay * place
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        corrected = math.sqrt(square / (1 - betas[1] ** step)) + epsilon
        place -= rate * mean / (1 - betas[0] ** step) / corrected
    return place


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_has_the_l2_term_in_its_gradient(decay: float) -> None:
    betas, epsilon = (0.8, 0.95), 0.1
    parameter = nn.Parameter(torch.ones(1, dtype=torch.float64))
    chosen = config(optimizer="adam", rate=0.05, betas=betas, epsilon=epsilon, weight_decay=decay)
    optimizer = make_optimizer(chosen, [parameter])
    gradients = [2.0, -1.0, 0.5, 4.0]
    for slope in gradients:
        parameter.grad = torch.full((1,), slope, dtype=torch.float64)
        optimizer.step()
    assert parameter.item() == pytest.approx(adam_by_hand(gradients, 0.05, betas, epsilon, decay))


@pytest.mark.parametrize("wrong", [{"betas": [1.0, 0.9]}, {"epsilon": 0}, {"warmup": 1.0}, {"plateau_factor": 1.0}])
def test_what_no_schedule_has_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        config(**wrong)
