"""Laws of the rules: which of an LSTM's connections each of them touches, at which rate, and when."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.recurrence import SILENT, Noise
from lstmdrop.nn.rules import RULE_NAMES, RULES, Regularizer, make_regularizer, unchanged

SHAPE = (40, 20, 10)
DROPOUT, RECURRENT = 0.2, 0.6
LIKE = torch.ones(SHAPE, dtype=torch.float64)

BETWEEN = {"none": "never", "variational": "locked", "weight-drop": "locked"}  # the others: at each step
MASKS = {
    "naive": ["hidden"],
    "variational": ["hidden"],
    "recurrent": ["candidate"],
    "zoneout": ["zone_hidden", "zone_cell"],
}


def rule(name: str, dropout: float = DROPOUT, recurrent: float | None = RECURRENT) -> Regularizer:
    torch.manual_seed(1)
    return make_regularizer(name, dropout, recurrent)


def share_of_zeros(values: Tensor) -> float:
    return float((values == 0).double().mean())


def within_chance(rate: float, number: int) -> object:
    return pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / number))


def drawn(noise: Noise) -> dict[str, Tensor]:
    names = ["hidden", "candidate", "zone_hidden", "zone_cell"]
    return {name: getattr(noise, name) for name in names if getattr(noise, name) is not None}


@pytest.mark.parametrize("name", RULE_NAMES)
def test_between_layers_entries_go_at_the_dropout_rate_or_not_at_all(name: str) -> None:
    dropped = rule(name).between(LIKE)
    kind = BETWEEN.get(name, "at each step")
    if kind == "never":
        assert dropped is LIKE
        return
    assert torch.equal(dropped[0], dropped[1]) == (kind == "locked")
    seen = dropped[0] if kind == "locked" else dropped
    assert share_of_zeros(seen) == within_chance(DROPOUT, seen.numel())
    torch.testing.assert_close(dropped.max(), torch.tensor(1 / (1 - DROPOUT), dtype=torch.float64))


@pytest.mark.parametrize("name", RULE_NAMES)
def test_noise_reaches_the_places_of_the_rule_at_the_recurrent_rate_and_no_others(name: str) -> None:
    masks = drawn(rule(name).noise(SHAPE, LIKE))
    assert sorted(masks) == sorted(MASKS.get(name, []))
    for place, mask in masks.items():
        assert mask.shape == ((1, *SHAPE[1:]) if name == "variational" else SHAPE)
        assert mask.dtype == torch.float64
        zeros = 1 - RECURRENT if place.startswith("zone") else RECURRENT  # a zone of 1 is what stays
        assert share_of_zeros(mask) == within_chance(zeros, mask.numel())
        kept = 1.0 if place.startswith("zone") else 1 / (1 - RECURRENT)
        torch.testing.assert_close(mask[mask != 0], torch.full_like(mask[mask != 0], kept))


def test_zones_of_hidden_and_cell_are_drawn_apart() -> None:
    noise = rule("zoneout").noise(SHAPE, LIKE)
    assert noise.zone_hidden is not None
    assert noise.zone_cell is not None
    assert float((noise.zone_hidden * noise.zone_cell).mean()) == within_chance(RECURRENT**2, LIKE.numel())


@pytest.mark.parametrize("name", RULE_NAMES)
def test_in_evaluation_nothing_acts_but_zoneouts_expectation(name: str) -> None:
    made = rule(name)
    expected = drawn(made.expectation(SHAPE, LIKE))
    assert made.acts_in_evaluation == (name == "zoneout") == bool(expected)
    for mask in expected.values():
        assert torch.equal(mask.expand(SHAPE), torch.full(SHAPE, RECURRENT, dtype=torch.float64))
    assert sorted(expected) == (["zone_cell", "zone_hidden"] if name == "zoneout" else [])


@pytest.mark.parametrize("name", RULE_NAMES)
def test_recurrent_weights_are_dropped_by_weight_drop_alone(name: str) -> None:
    weights = torch.ones(200, 50)
    dropped = rule(name).weight(weights)
    if name != "weight-drop":
        assert dropped is weights
        return
    assert share_of_zeros(dropped) == within_chance(RECURRENT, dropped.numel())
    assert torch.equal(weights, torch.ones(200, 50))


@pytest.mark.parametrize("name", RULE_NAMES)
def test_without_a_rate_of_its_own_the_path_through_time_gets_that_of_the_others(name: str) -> None:
    masks = drawn(rule(name, recurrent=None).noise(SHAPE, LIKE))
    for place, mask in masks.items():
        zeros = 1 - DROPOUT if place.startswith("zone") else DROPOUT
        assert share_of_zeros(mask) == within_chance(zeros, mask.numel())
    silent = drawn(rule(name, recurrent=0.0).noise(SHAPE, LIKE))  # a rate of zero is one that was chosen
    assert all(bool((mask == (0 if place.startswith("zone") else 1)).all()) for place, mask in silent.items())


def test_a_library_can_do_what_is_fresh_between_layers_and_nothing_else() -> None:
    rates = {name: rule(name).library_rate for name in RULE_NAMES}
    assert rates == {**dict.fromkeys(RULE_NAMES), "none": 0.0, "zaremba": DROPOUT}


def test_by_default_a_regularizer_does_nothing() -> None:
    nothing = Regularizer()
    assert nothing.between is unchanged
    assert nothing.noise(SHAPE, LIKE) is nothing.expectation(SHAPE, LIKE) is SILENT
    assert not nothing.acts_in_evaluation


@pytest.mark.parametrize("name", RULE_NAMES)
@pytest.mark.parametrize(
    "rates", [(-0.01, 0.5), (1.0, 0.5), (0.5, 1.0), (0.5, -0.01), (math.nan, 0.5), (0.5, math.nan)]
)
def test_rates_that_would_drop_all_or_less_than_nothing_are_refused(name: str, rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"rates lie in \[0, 1\), not \("):
        make_regularizer(name, *rates)
    make_regularizer(name, 0.0, 0.0)
    make_regularizer(name, 0.999, 0.999)


def test_every_name_has_its_rule_and_no_rule_is_without_a_name() -> None:
    assert tuple(RULES) == RULE_NAMES
    with pytest.raises(ValueError, match=r"unknown rule 'dropout': one of none, zaremba"):
        make_regularizer("dropout")
