"""Laws of reading in both directions: what each row is read from, and the quick way beside the exact one."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.rules import RULE_NAMES, make_regularizer

TIME, BATCH, FEATURES, SIZE, LAYERS = 6, 4, 3, 2, 3
LENGTHS = torch.tensor([3, 6, 1, 6])
IS_REAL = torch.arange(TIME)[:, None] < LENGTHS


def make(rule: str = "none", dropout: float = 0.5, layers: int = LAYERS) -> BidirectionalLSTM:
    torch.manual_seed(0)
    return BidirectionalLSTM(FEATURES, SIZE, layers, make_regularizer(rule, dropout)).double()


def inputs(filler: float = 0.0) -> Tensor:
    values = torch.randn(TIME, BATCH, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return values.masked_fill(~IS_REAL[..., None], filler)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_the_quick_outputs_are_the_exact_ones_up_to_each_end(rule: str) -> None:
    both = make(rule).eval()
    exact, _ = both(inputs(), LENGTHS)
    for filler in (0.0, 7.0):
        quick = both.outputs(inputs(filler), LENGTHS)
        torch.testing.assert_close(quick[IS_REAL], exact[IS_REAL], atol=1e-12, rtol=0)
    torch.testing.assert_close(both.outputs(inputs()), both(inputs())[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_gradients_of_the_quick_outputs_are_the_exact_ones(rule: str) -> None:
    """With the same masks: rows that fall in length already are not sorted before these are drawn."""
    ends = LENGTHS.sort(descending=True).values
    is_real = torch.arange(TIME)[:, None] < ends
    results = []
    for is_quick in (True, False):
        both = make(rule, 0.3).train()
        torch.manual_seed(7)
        outputs = both.outputs(inputs(5.0), ends) if is_quick else both(inputs(5.0), ends)[0]
        outputs[is_real].square().sum().backward()
        results.append([outputs[is_real], *(parameter.grad for parameter in both.parameters())])
    torch.testing.assert_close(*results, atol=1e-12, rtol=0)


def test_states_are_each_layers_last_ones_side_by_side() -> None:
    """The first half after the row's last step, the second after its first one, which is read last."""
    both = make(layers=2).eval()
    outputs, final = both(inputs(), LENGTHS)
    assert final.hidden.shape == final.cell.shape == (2, BATCH, 2 * SIZE)
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(final.hidden[1, row, :SIZE], outputs[length - 1, row, :SIZE])
        assert torch.equal(final.hidden[1, row, SIZE:], outputs[0, row, SIZE:])
    _, ahead_state = both.ahead[0](inputs(), lengths=LENGTHS)
    assert torch.equal(final.hidden[0, :, :SIZE], ahead_state.hidden[0])
    assert torch.equal(final.cell[0, :, :SIZE], ahead_state.cell[0])


def test_a_text_read_backwards_gives_the_directions_exchanged() -> None:
    one, other = make(layers=1).eval(), make(layers=1).eval()
    other.ahead, other.back = other.back, other.ahead
    found, expected = one.outputs(inputs().flip(0)).flip(0), other.outputs(inputs())
    torch.testing.assert_close(torch.cat([found[..., SIZE:], found[..., :SIZE]], -1), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("quick", [True, False])
def test_between_two_layers_one_mask_is_drawn_and_one_for_the_top(quick: bool) -> None:
    both = make("zaremba").train()
    seen: list[tuple[int, ...]] = []
    between = both.regularizer.between

    def counted(values: Tensor) -> Tensor:
        seen.append(tuple(values.shape))
        return between(values)

    both.regularizer = dataclasses.replace(both.regularizer, between=counted)
    for training in (True, False):
        both.train(training)
        both.outputs(inputs(), LENGTHS) if quick else both(inputs(), LENGTHS)
    assert seen == [(TIME, BATCH, FEATURES), *[(TIME, BATCH, 2 * SIZE)] * LAYERS]


def test_the_first_layer_reads_the_inputs_and_every_other_one_both_directions() -> None:
    both = make()
    sizes = [(layer.input_size, layer.hidden_size) for side in (both.ahead, both.back) for layer in side]
    assert sizes == [(FEATURES, SIZE), (2 * SIZE, SIZE), (2 * SIZE, SIZE)] * 2
