"""Laws of one layer over time: its equations, what noise does to them, and how noise is cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.linear import SharedFactor
from lstmdrop.nn.recurrence import SILENT, LayerWeights, LSTMState, Noise, cell, fused, fused_stack
from lstmdrop.nn.scan import scan

TIME, BATCH, FEATURES, SIZE = 5, 3, 4, 2


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer(seed: int = 1, features: int = FEATURES) -> LayerWeights:
    shapes = [(4 * SIZE, features), (4 * SIZE, SIZE), (4 * SIZE,), (4 * SIZE,)]
    return LayerWeights(*(random(*shape, seed=seed + number) for number, shape in enumerate(shapes)))


INPUTS = random(TIME, BATCH, FEATURES, seed=7)
STATE = LSTMState(random(BATCH, SIZE, seed=8), random(BATCH, SIZE, seed=9))


def mask(*shape: int, seed: int) -> Tensor:
    return random(*shape, seed=seed).abs()  # of any size: equations hold for more than 0 and 1


def noise(steps: int) -> dict[str, Tensor]:
    """One mask for every place that noise reaches; each alone, and all together, has to be in the right one."""
    names = ["hidden", "candidate", "zone_hidden", "zone_cell"]
    return {name: mask(steps, BATCH, SIZE, seed=20 + number) for number, name in enumerate(names)}


NOISES = [
    {}, *({name: value} for name, value in noise(TIME).items()), noise(TIME), noise(1),
    {**noise(TIME), "hidden": noise(1)["hidden"]},
]  # fmt: skip


def unit_by_unit(weights: LayerWeights, given: dict[str, Tensor]) -> tuple[Tensor, LSTMState]:
    """Zaremba et al. 2014, section 3, with the masks of `Noise`, on one number at a time."""

    def at(name: str, t: int, row: int, unit: int, default: float) -> Any:
        if name not in given:
            return default
        return given[name][t if len(given[name]) > 1 else 0, row, unit]

    hidden, memory = (part.clone() for part in STATE)
    outputs = []
    for t in range(TIME):
        old_h, old_c = hidden.clone(), memory.clone()
        for row in range(BATCH):
            read = torch.stack([old_h[row, unit] * at("hidden", t, row, unit, 1.0) for unit in range(SIZE)])
            gates = weights.input @ INPUTS[t, row] + weights.recurrent @ read
            gates = gates + weights.input_bias + weights.recurrent_bias
            for unit in range(SIZE):
                i, f, g, o = (gates[number * SIZE + unit] for number in range(4))
                candidate = torch.tanh(g) * at("candidate", t, row, unit, 1.0)
                new_c = torch.sigmoid(f) * old_c[row, unit] + torch.sigmoid(i) * candidate
                new_h = torch.sigmoid(o) * torch.tanh(new_c)
                for part, old, new, name in ((hidden, old_h, new_h, "hidden"), (memory, old_c, new_c, "cell")):
                    stays = at(f"zone_{name}", t, row, unit, 0.0)
                    part[row, unit] = stays * old[row, unit] + (1 - stays) * new
        outputs.append(hidden.clone())
    return torch.stack(outputs), LSTMState(hidden, memory)


@pytest.mark.parametrize("given", NOISES, ids=lambda given: "+".join(given) or "none")
def test_a_scan_is_its_equations_unit_by_unit(given: dict[str, Tensor]) -> None:
    found = scan(layer(), INPUTS, STATE, Noise(**given))
    torch.testing.assert_close(found, unit_by_unit(layer(), given), atol=1e-12, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_the_librarys_layer_is_the_scan_without_noise(training: bool) -> None:
    found = fused(layer(), INPUTS, STATE, training=training)
    torch.testing.assert_close(found, unit_by_unit(layer(), {}), atol=1e-12, rtol=0)


def test_a_stack_is_its_layers_one_on_the_other() -> None:
    layers = [layer(1), layer(31, SIZE), layer(61, SIZE)]
    states = [LSTMState(random(BATCH, SIZE, seed=90 + n), random(BATCH, SIZE, seed=95 + n)) for n in range(3)]
    values, finals = INPUTS, []
    for weights, state in zip(layers, states, strict=True):
        values, final = scan(weights, values, state, SILENT)
        finals.append(final)
    whole = LSTMState(*(torch.stack(part) for part in zip(*states, strict=True)))
    outputs, after = fused_stack(layers, INPUTS, whole, 0.0)
    torch.testing.assert_close(outputs, values, atol=1e-12, rtol=0)
    for part, expected in zip(after, zip(*finals, strict=True), strict=True):
        torch.testing.assert_close(part, torch.stack(expected), atol=1e-12, rtol=0)


def test_one_step_is_a_pass_of_one() -> None:
    weights, given = layer(), noise(1)
    product = INPUTS[0] @ weights.input.T + weights.input_bias + weights.recurrent_bias
    silent = cell(product, SharedFactor(weights.recurrent.T), STATE, SILENT)
    torch.testing.assert_close(silent, scan(weights, INPUTS[:1], STATE, SILENT)[1], atol=1e-12, rtol=0)
    noisy = cell(product, SharedFactor(weights.recurrent.T), STATE, Noise(**given).steps(1)[0])
    torch.testing.assert_close(noisy, scan(weights, INPUTS[:1], STATE, Noise(**given))[1], atol=1e-12, rtol=0)


def test_a_unit_that_stays_keeps_its_value_to_the_bit_and_one_that_goes_has_none_of_it() -> None:
    stays, goes = torch.ones(1, BATCH, SIZE), torch.zeros(1, BATCH, SIZE)
    outputs, final = scan(layer(), INPUTS, STATE, Noise(zone_hidden=stays, zone_cell=stays))
    assert torch.equal(outputs, STATE.hidden.expand(TIME, -1, -1))
    assert torch.equal(final.cell, STATE.cell)
    gone = scan(layer(), INPUTS, STATE, Noise(zone_hidden=goes, zone_cell=goes))
    torch.testing.assert_close(gone, scan(layer(), INPUTS, STATE, SILENT), atol=0, rtol=0)


@pytest.mark.parametrize("steps", [1, TIME])
def test_the_noise_of_some_steps_and_rows_is_that_part_of_its_masks(steps: int) -> None:
    masks = noise(steps)
    part = Noise(**masks).part(slice(1, 3), slice(2))
    for name, whole in masks.items():
        expected = whole.expand(TIME, -1, -1)[1:3, :2]
        assert torch.equal(getattr(part, name).expand(2, -1, -1), expected)
    assert Noise(hidden=masks["hidden"]).part(slice(1, 3), slice(2)).zone_cell is None


def test_expectations_are_one_number_for_all_steps_and_rows() -> None:
    rate = torch.full((1, 1, 1), 0.25)
    part = Noise(zone_hidden=rate, zone_cell=rate).part(slice(3, 4), slice(2, 3))
    assert part.zone_hidden is not None
    assert torch.equal(part.zone_hidden, rate)


@pytest.mark.parametrize("steps", [1, TIME])
def test_the_noise_of_each_step_has_no_time_axis(steps: int) -> None:
    masks = noise(steps)
    each = Noise(**masks).steps(TIME)
    assert len(each) == TIME
    for t, step in enumerate(each):
        for name, whole in masks.items():
            assert torch.equal(getattr(step, name), whole[t if steps > 1 else 0])
    assert all(step.hidden is None for step in Noise(candidate=masks["candidate"]).steps(TIME))


def test_silence_stays_silence_however_it_is_cut() -> None:
    """It is asked for by identity: what is cut from it must not turn a fast kernel into a scan."""
    assert SILENT.part(slice(1, 2), slice(1)) is SILENT
    assert all(step is SILENT for step in SILENT.steps(3))
    assert len(SILENT.steps(3)) == 3


def test_a_state_that_lies_in_steps_of_memory_is_as_good_as_another() -> None:
    wide = LSTMState(*(part.repeat_interleave(2, 1)[:, ::2] for part in STATE))
    assert not wide.hidden.is_contiguous()
    for run in (fused(layer(), INPUTS, wide, training=True), scan(layer(), INPUTS, wide, SILENT)):
        torch.testing.assert_close(run, fused(layer(), INPUTS, STATE, training=True), atol=1e-12, rtol=0)
