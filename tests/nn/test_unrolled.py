"""Laws of a pass taken step by step: its masks are those of a whole pass, and each step has its own."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState, Noise
from lstmdrop.nn.rules import RULE_NAMES, Regularizer, make_regularizer

TIME, BATCH, FEATURES, SIZE, LAYERS = 5, 3, 4, 2, 2


def drawn(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).add(0.5)


def numbered(rule: str) -> Regularizer:
    """A rule whose masks are fixed by their shape alone, so that two ways to run it draw the same."""
    made = make_regularizer(rule, 0.5)

    def between(values: Tensor) -> Tensor:
        return values * drawn(tuple(values.shape), values.shape[2])

    def noise(shape: tuple[int, int, int], like: Tensor) -> Noise:
        masks = {
            field.name: drawn(tuple(mask.shape), number).clamp(max=1)
            for number, field in enumerate(dataclasses.fields(Noise))
            if (mask := getattr(made.noise(shape, like), field.name)) is not None
        }
        return Noise(**masks) if masks else made.noise(shape, like)

    def weight(recurrent: Tensor) -> Tensor:
        return recurrent * drawn(tuple(recurrent.shape), 9) if rule == "weight-drop" else recurrent

    return dataclasses.replace(
        made, between=made.between if rule == "none" else between, noise=noise, weight=weight, library_rate=None
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_the_steps_of_a_pass_are_the_pass(rule: str, training: bool) -> None:
    torch.manual_seed(1)
    lstm = RegularizedLSTM(FEATURES, SIZE, LAYERS, numbered(rule)).double().train(training)
    inputs = torch.randn(TIME, BATCH, FEATURES, dtype=torch.float64, requires_grad=True)
    state = LSTMState(*torch.randn(2, LAYERS, BATCH, SIZE, dtype=torch.float64))
    expected, final = lstm(inputs, state)
    unrolled, outputs = lstm.unrolled(TIME, BATCH), []
    for t in range(TIME):
        output, state = unrolled.step(t, inputs[t], state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs), expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(state, final, atol=1e-10, rtol=0)
    leaves = [inputs, *lstm.parameters()]
    slopes = [torch.autograd.grad(each.square().sum(), leaves) for each in (torch.stack(outputs), expected)]
    torch.testing.assert_close(*slopes, atol=1e-9, rtol=0)


@pytest.mark.parametrize("rule", ["none", "zaremba"])
def test_in_evaluation_and_without_a_rule_there_are_no_masks(rule: str) -> None:
    lstm = RegularizedLSTM(FEATURES, SIZE, LAYERS, make_regularizer(rule, 0.5))
    assert [mask is None for mask in lstm.train().unrolled(TIME, BATCH).masks] == [rule == "none"] * (LAYERS + 1)
    assert lstm.eval().unrolled(TIME, BATCH).masks == [None] * (LAYERS + 1)


def test_masks_have_the_size_of_what_they_fall_on() -> None:
    lstm = RegularizedLSTM(FEATURES, SIZE, LAYERS, make_regularizer("zaremba", 0.5)).train()
    masks = lstm.unrolled(TIME, BATCH).masks
    assert all(mask is not None and len(mask) == TIME for mask in masks)
    assert [mask[0].shape for mask in masks if mask] == [(BATCH, FEATURES), (BATCH, SIZE), (BATCH, SIZE)]


def test_the_top_output_is_masked_and_what_is_remembered_is_not() -> None:
    lstm = RegularizedLSTM(FEATURES, 40, 1, make_regularizer("zaremba", 0.5)).train()
    output, state = lstm.unrolled(1, BATCH).step(0, torch.randn(BATCH, FEATURES), lstm.initial_state(BATCH))
    assert 0 < int((output == 0).sum()) < output.numel()
    assert bool((state.hidden != 0).all())
    torch.testing.assert_close(output[output != 0], 2 * state.hidden[0][output != 0])


@pytest.mark.parametrize(("num_steps", "batch_size"), [(0, 3), (3, 0)])
def test_a_pass_of_nothing_is_refused(num_steps: int, batch_size: int) -> None:
    lstm = RegularizedLSTM(FEATURES, SIZE, LAYERS, make_regularizer("none"))
    with pytest.raises(ValueError, match="is at least 1, not 0"):
        lstm.unrolled(num_steps, batch_size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_state_is_zero_in_the_weights_own_format(dtype: torch.dtype) -> None:
    state = RegularizedLSTM(FEATURES, SIZE, LAYERS, make_regularizer("none")).to(dtype).initial_state(BATCH)
    for part in state:
        assert torch.equal(part, torch.zeros(LAYERS, BATCH, SIZE, dtype=dtype))


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_one_step_alone_is_a_pass_of_one_step(rule: str) -> None:
    """In evaluation; with a narrower top layer, from a state and from none."""
    torch.manual_seed(2)
    lstm = RegularizedLSTM(FEATURES, 3, LAYERS, make_regularizer(rule, 0.5), output_size=SIZE).double().eval()
    inputs = torch.randn(BATCH, FEATURES, dtype=torch.float64)
    outputs, state = lstm.step(inputs)
    for given in (None, state):
        expected, final = lstm(inputs[None], given)
        output, after = lstm.step(inputs, given)
        torch.testing.assert_close(output, expected[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(after, final, atol=1e-12, rtol=0)
    assert outputs.shape == (BATCH, SIZE)
    with pytest.raises(ValueError, match="inputs"):
        lstm.step(inputs[:, :-1])
