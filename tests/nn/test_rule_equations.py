"""Each rule beside its equations, written out step by step in float64 on the masks that it drew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState, Noise
from lstmdrop.nn.rules import RULE_NAMES, make_regularizer

STEPS, BATCH, SIZE = 6, 3, 5
DROPOUT, RECURRENT = 0.4, 0.25
Gates = tuple[Tensor, Tensor, Tensor, Tensor]


class Recorder:
    """A layer under a rule, and all that the rule drew in one pass in training."""

    def __init__(self, rule: str) -> None:
        torch.manual_seed(5)
        made = make_regularizer(rule, DROPOUT, RECURRENT)
        self.betweens: list[Tensor] = []
        self.noise = Noise()
        self.recurrent = torch.empty(0)

        def between(values: Tensor) -> Tensor:
            mask = made.between(torch.ones_like(values))
            self.betweens.append(mask)
            return values * mask

        def noise(shape: tuple[int, int, int], like: Tensor) -> Noise:
            self.noise = made.noise(shape, like)
            return self.noise

        def weight(recurrent: Tensor) -> Tensor:
            self.recurrent = made.weight(recurrent)
            return self.recurrent

        recording = dataclasses.replace(made, between=between, noise=noise, weight=weight, library_rate=None)
        self.lstm = RegularizedLSTM(SIZE, SIZE, 1, recording).double().train()
        self.inputs = torch.randn(STEPS, BATCH, SIZE, dtype=torch.float64)
        self.state = LSTMState(*torch.randn(2, 1, BATCH, SIZE, dtype=torch.float64))
        with torch.no_grad():
            self.outputs, self.final = self.lstm(self.inputs, self.state)

    def gates(self, t: int, hidden: Tensor) -> Gates:
        (layer,) = self.lstm.layers
        product = (self.inputs[t] * self.betweens[0][t]) @ layer.weight_ih_l0.T + layer.bias_ih_l0
        i, f, g, o = (product + hidden @ self.recurrent.T + layer.bias_hh_l0).chunk(4, 1)
        return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()

    def require(self, step: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        """The layer's outputs and final state are those of ``step``, taken once for each input."""
        hidden, cell = (part[0] for part in self.state)
        for t in range(STEPS):
            hidden, cell = step(t, hidden, cell)
            torch.testing.assert_close(self.outputs[t], hidden * self.betweens[-1][t], rtol=0, atol=1e-12)
        torch.testing.assert_close(self.final.hidden[0], hidden, rtol=0, atol=1e-12)
        torch.testing.assert_close(self.final.cell[0], cell, rtol=0, atol=1e-12)


def at(mask: Tensor | None, t: int) -> Tensor:
    assert mask is not None
    return mask.expand(STEPS, -1, -1)[t]


def drawn(noise: Noise) -> set[str]:
    return {name for name, mask in dataclasses.asdict(noise).items() if mask is not None}


def require_mask(mask: Tensor, rate: float, *, is_fresh: bool) -> None:
    """Zeros and 1 / (1 - rate), and other ones at each step or the same."""
    values = torch.unique(mask)
    torch.testing.assert_close(values, torch.tensor([0, 1 / (1 - rate)], dtype=mask.dtype))
    steps = mask.expand(STEPS, *mask.shape[1:])
    assert all(torch.equal(steps[0], step) is not is_fresh for step in steps[1:])


def plain_step(layer: Recorder) -> Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Hochreiter & Schmidhuber 1997 with a forget gate, nothing dropped on the recurrent path."""

    def step(t: int, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = layer.gates(t, h)
        c = f * c + i * g
        return o * c.tanh(), c

    return step


@pytest.mark.parametrize("rule", ["none", "zaremba"])
def test_a_rule_that_leaves_the_recurrent_path_alone(rule: str) -> None:
    layer = Recorder(rule)

    assert drawn(layer.noise) == set()
    layer.require(plain_step(layer))


@pytest.mark.parametrize("rule", ["naive", "variational"])
def test_a_mask_on_what_the_gates_read_of_h(rule: str) -> None:
    """Gal & Ghahramani 2016, equation 7; naive draws it anew at each step."""
    layer = Recorder(rule)

    def step(t: int, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = layer.gates(t, h * at(layer.noise.hidden, t))
        c = f * c + i * g
        return o * c.tanh(), c

    assert drawn(layer.noise) == {"hidden"}
    assert layer.noise.hidden is not None
    require_mask(layer.noise.hidden, RECURRENT, is_fresh=rule == "naive")
    layer.require(step)


def test_recurrent_masks_the_candidate_alone() -> None:
    """Semeniuta et al. 2016, equation 15."""
    layer = Recorder("recurrent")

    def step(t: int, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = layer.gates(t, h)
        c = f * c + i * (g * at(layer.noise.candidate, t))
        return o * c.tanh(), c

    assert drawn(layer.noise) == {"candidate"}
    assert layer.noise.candidate is not None
    require_mask(layer.noise.candidate, RECURRENT, is_fresh=True)
    layer.require(step)


def test_zoneout_keeps_units_of_h_and_of_c() -> None:
    """Krueger et al. 2017, equation 6: two masks, of zeros and ones."""
    layer = Recorder("zoneout")

    def step(t: int, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = layer.gates(t, h)
        new_c = f * c + i * g
        new_h = o * new_c.tanh()
        kept_h, kept_c = at(layer.noise.zone_hidden, t), at(layer.noise.zone_cell, t)
        return kept_h * h + (1 - kept_h) * new_h, kept_c * c + (1 - kept_c) * new_c

    assert drawn(layer.noise) == {"zone_hidden", "zone_cell"}
    for mask in (layer.noise.zone_hidden, layer.noise.zone_cell):
        assert mask is not None
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        assert not torch.equal(mask[0], mask[1])
    layer.require(step)


def test_weight_drop_masks_the_recurrent_weights_alone_and_scales_the_rest() -> None:
    """Merity et al. 2018, section 2: DropConnect, one mask for the sequence."""
    layer = Recorder("weight-drop")
    raw = layer.lstm.layers[0].weight_hh_l0.detach()
    kept = layer.recurrent != 0
    torch.testing.assert_close(layer.recurrent[kept], raw[kept] / (1 - RECURRENT))
    assert 0 < int((~kept).sum()) < kept.numel()

    assert drawn(layer.noise) == set()
    layer.require(plain_step(layer))


@pytest.mark.parametrize("rule", [rule for rule in RULE_NAMES if rule != "none"])
def test_masks_between_layers_are_fresh_or_locked(rule: str) -> None:
    layer = Recorder(rule)
    assert len(layer.betweens) == len(layer.lstm.layers) + 1
    for mask in layer.betweens:
        require_mask(mask, DROPOUT, is_fresh=rule not in ("variational", "weight-drop"))
