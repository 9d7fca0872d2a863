"""Laws of what hypotheses are ranked by."""

from __future__ import annotations

import math

import pytest
import torch

from lstmdrop.decoding.hypotheses import BeamSettings, coverage_penalty, initial_coverage, normalised

TINY = torch.finfo(torch.float32).tiny


def lengths(*some: int) -> torch.Tensor:
    return torch.tensor(some)[:, None]


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_score_is_the_log_probability_over_a_power_of_the_length(penalty: float) -> None:
    log_probs = torch.tensor([[-6.0, -1.0], [-3.0, -8.0]], dtype=torch.float64)
    found = normalised(log_probs, lengths(3, 5), BeamSettings(length_penalty=penalty))
    expected = [
        [value / length**penalty for value in row] for row, length in zip(log_probs.tolist(), (3, 5), strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_nothing_counts_as_one_token_long() -> None:
    log_probs = torch.tensor([[0.0, -2.0]])
    settings = BeamSettings(length_penalty=1.5)
    assert torch.equal(normalised(log_probs, lengths(0), settings), normalised(log_probs, lengths(1), settings))
    assert not torch.equal(normalised(log_probs, lengths(2), settings), normalised(log_probs, lengths(1), settings))


def test_impossible_hypotheses_stay_impossible_at_every_length() -> None:
    for length in (0, 1, 7):
        assert normalised(torch.tensor([[-torch.inf]]), lengths(length), BeamSettings()).item() == -math.inf


def test_coverage_is_worked_by_hand() -> None:
    coverage = torch.tensor([[0.5, 1.0, 3.0], [0.25, 0.5, 1.0], [1.0, 2.0, 1.0]])
    found = coverage_penalty(coverage, BeamSettings(coverage_penalty=2.0))
    torch.testing.assert_close(found, torch.tensor([2 * math.log(0.5), 2 * math.log(0.125), 0.0]))


def test_a_place_that_nobody_looked_at_costs_much_and_not_everything() -> None:
    (found,) = coverage_penalty(torch.zeros(1, 1, dtype=torch.float64), BeamSettings(coverage_penalty=1.0)).tolist()
    assert found == pytest.approx(math.log(TINY))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_padding_counts_as_covered_and_nothing_else_does(dtype: torch.dtype) -> None:
    attention = torch.rand(3, 4).to(dtype)
    assert not initial_coverage(attention, None).any()
    found = initial_coverage(attention, torch.tensor([4, 0, 3]))
    assert found.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]]
    assert found.dtype == torch.promote_types(dtype, torch.float32)  # sums of many steps are not rounded to halves
    assert not coverage_penalty(found[1:2], BeamSettings(coverage_penalty=1.0)).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam_size": 0}, "beam_size must be at least 1, not 0"),
        ({"num_best": 0}, r"between 1 and beam_size \(5\), not 0"),
        ({"num_best": 6}, r"between 1 and beam_size \(5\), not 6"),
        ({"beam_size": 2, "num_best": 3}, r"between 1 and beam_size \(2\), not 3"),
        ({"length_penalty": -0.1}, "length_penalty must be finite and not negative, not -0.1"),
        ({"length_penalty": math.inf}, "length_penalty must be finite"),
        ({"coverage_penalty": math.nan}, "coverage_penalty must be finite"),
        ({"coverage_penalty": -1.0}, "coverage_penalty must be finite"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BeamSettings(**settings)  # type: ignore[arg-type]


def test_settings_at_the_ends_of_their_ranges_are_taken() -> None:
    assert BeamSettings(1, 0.0, 0.0, 1).beam_size == 1
    assert BeamSettings(3, 0.0, 0.0, 3).num_best == 3
