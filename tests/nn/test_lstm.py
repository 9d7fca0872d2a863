"""Laws of the regularised LSTM."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer

TIME, BATCH, SIZE, LAYERS = 7, 3, 5, 2
NOISY = [rule for rule in RULE_NAMES if rule != "none"]


def make(
    rule: RuleName, dropout: float = 0.5, recurrent: float | None = None, dtype: torch.dtype = torch.float64
) -> RegularizedLSTM:
    torch.manual_seed(0)
    return RegularizedLSTM(SIZE, SIZE, LAYERS, make_regularizer(rule, dropout, recurrent)).to(dtype)


def torch_twin(lstm: RegularizedLSTM) -> nn.LSTM:
    twin = nn.LSTM(SIZE, SIZE, LAYERS).to(torch.float64)
    for number, layer in enumerate(lstm.layers):
        for name, value in layer.named_parameters():
            getattr(twin, name.replace("l0", f"l{number}")).data.copy_(value)
    return twin


def inputs(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(TIME, BATCH, SIZE, dtype=dtype, generator=torch.Generator().manual_seed(1))


class DropoutCalls(TorchDispatchMode):
    """Collects the masks that are drawn while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.bernoulli_, torch.ops.aten.bernoulli):
            self.masks.append(result.clone())
        elif func.overloadpacket is torch.ops.aten.native_dropout:
            self.masks.append(result[1].clone())
        return result


def test_none_equals_torch_lstm_in_value_and_gradient() -> None:
    lstm = make("none")
    twin = torch_twin(lstm)
    state = LSTMState(*torch.randn(2, LAYERS, BATCH, SIZE, dtype=torch.float64))
    ours, theirs = inputs().requires_grad_(), inputs().requires_grad_()
    outputs, final = lstm(ours, state)
    expected, (hidden, cell) = twin(theirs, tuple(state))
    weights = torch.randn_like(outputs)
    ((outputs * weights).sum() + final.cell.sum()).backward()
    ((expected * weights).sum() + cell.sum()).backward()
    torch.testing.assert_close(outputs, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(final, LSTMState(hidden, cell), atol=1e-10, rtol=0)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-10, rtol=0)
    for number, layer in enumerate(lstm.layers):
        for name, parameter in layer.named_parameters():
            expected_grad = getattr(twin, name.replace("l0", f"l{number}")).grad
            torch.testing.assert_close(parameter.grad, expected_grad, atol=1e-10, rtol=0)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_is_the_plain_lstm_in_evaluation_but_zoneout(rule: RuleName) -> None:
    lstm = make(rule, dtype=torch.float32).eval()
    plain = make("none", dtype=torch.float32).eval()
    outputs, _ = lstm(inputs(torch.float32))
    expected, _ = plain(inputs(torch.float32))
    assert torch.equal(outputs, expected) == (rule != "zoneout")


def test_zoneout_in_evaluation_takes_its_expected_update() -> None:
    rate = 0.3
    lstm = make("zoneout", 0.0, rate).eval()
    layer = lstm.layers[0]
    cell = nn.LSTMCell(SIZE, SIZE).to(torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    h = c = torch.zeros(BATCH, SIZE, dtype=torch.float64)
    expected = []
    for x in inputs():
        new_h, new_c = cell(x, (h, c))
        h, c = rate * h + (1 - rate) * new_h, rate * c + (1 - rate) * new_c
        expected.append(h)
    single = RegularizedLSTM(SIZE, SIZE, 1, lstm.regularizer).to(torch.float64).eval()
    single.layers[0].load_state_dict(layer.state_dict())
    torch.testing.assert_close(single(inputs())[0], torch.stack(expected))


def test_zoneout_is_the_old_state_or_the_new_one_in_training() -> None:
    lstm = make("zoneout", 0.0, 0.5).train()
    lstm.layers = lstm.layers[:1]
    outputs, _ = lstm(inputs())
    kept = outputs[1:] == outputs[:-1]
    assert 0 < kept.double().mean() < 1


def test_zaremba_draws_one_mask_for_each_layer_and_one_for_the_top_fresh_at_each_step() -> None:
    lstm = make("zaremba")
    with DropoutCalls() as calls:
        lstm(inputs())
    assert [tuple(mask.shape) for mask in calls.masks] == [(TIME, BATCH, SIZE)] * (LAYERS + 1)
    for mask in calls.masks:
        assert not torch.equal(mask[0], mask[1])
    assert not torch.equal(calls.masks[0], calls.masks[1])


@pytest.mark.parametrize("rule", ["zaremba", "recurrent", "zoneout", "naive"])
def test_masks_differ_from_pass_to_pass(rule: RuleName) -> None:
    lstm = make(rule)
    assert not torch.equal(lstm(inputs())[0], lstm(inputs())[0])


def test_zaremba_leaves_the_recurrent_path_untouched() -> None:
    """With silent input, zero biases and no dropped output, only what is remembered can reach the output."""
    lstm = make("zaremba", 0.5)
    lstm.layers = lstm.layers[:1]
    for name, parameter in lstm.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)
    state = LSTMState(*torch.randn(2, 1, BATCH, SIZE, dtype=torch.float64))
    silence = torch.zeros(TIME, BATCH, SIZE, dtype=torch.float64)
    _, noisy = lstm.train()(silence, state)
    _, plain = lstm.eval()(silence, state)
    assert torch.equal(noisy.hidden, plain.hidden)
    assert torch.equal(noisy.cell, plain.cell)


@pytest.mark.parametrize("rule", ["naive", "variational", "recurrent", "zoneout", "weight-drop"])
def test_rules_that_touch_the_recurrent_path_change_what_is_remembered(rule: RuleName) -> None:
    lstm = make(rule, 0.5)
    state = LSTMState(*torch.randn(2, LAYERS, BATCH, SIZE, dtype=torch.float64))
    silence = torch.zeros(TIME, BATCH, SIZE, dtype=torch.float64)
    noisy = lstm.train()(silence, state)[1].cell[0]
    plain = copy.deepcopy(lstm).eval()(silence, state)[1].cell[0]
    assert not torch.allclose(noisy, plain)


@pytest.mark.parametrize("rule", ["variational", "weight-drop"])
def test_locked_masks_are_constant_in_time(rule: RuleName) -> None:
    lstm = make(rule, 0.5)
    dropped = lstm.regularizer.between(torch.ones(TIME, BATCH, SIZE))
    assert torch.equal(dropped, dropped[:1].expand(TIME, -1, -1))
    assert not torch.equal(dropped[0, 0], dropped[0, 1])


def test_the_variational_hidden_mask_is_one_for_all_steps() -> None:
    lstm = make("variational", 0.5)
    noise = lstm.regularizer.noise((TIME, BATCH, SIZE), torch.ones(1))
    assert noise.hidden is not None
    assert noise.hidden.shape == (1, BATCH, SIZE)


@pytest.mark.parametrize("rule", NOISY)
def test_every_rule_is_live_in_training(rule: RuleName) -> None:
    lstm = make(rule)
    plain = make("none")
    assert not torch.allclose(lstm(inputs())[0], plain(inputs())[0])


@pytest.mark.parametrize("rule", NOISY)
def test_a_rate_of_zero_is_no_rule_at_all(rule: RuleName) -> None:
    torch.testing.assert_close(make(rule, 0.0)(inputs())[0], make("none")(inputs())[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_passes_gradcheck(rule: RuleName) -> None:
    lstm = make(rule, 0.4)
    parameters = tuple(lstm.parameters())
    names = [name for name, _ in lstm.named_parameters()]

    def run(x: Tensor, *values: Tensor) -> Tensor:
        torch.manual_seed(5)  # the same masks at each evaluation
        return torch.func.functional_call(lstm, dict(zip(names, values, strict=True)), (x,))[0]

    x = inputs()[:3, :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (x, *parameters), fast_mode=True)


def test_weight_drop_gives_gradient_to_the_raw_weights_and_leaves_them_alone() -> None:
    lstm = make("weight-drop", 0.0, 0.5)
    before = [layer.weight_hh_l0.clone() for layer in lstm.layers]
    lstm(inputs())[0].sum().backward()
    for layer, weight in zip(lstm.layers, before, strict=True):
        assert torch.equal(layer.weight_hh_l0, weight)
        dropped = (layer.weight_hh_l0.grad == 0).double().mean()
        assert 0.3 < dropped < 0.7


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_two_halves_with_carried_state_equal_one_whole(rule: RuleName) -> None:
    lstm = make(rule).eval()
    whole, final = lstm(inputs())
    first, state = lstm(inputs()[:3])
    second, last = lstm(inputs()[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-12, rtol=0)
    torch.testing.assert_close(last, final, atol=1e-12, rtol=0)


def test_scan_and_fused_kernel_agree() -> None:
    noisy = make("naive", 0.0, 0.0)
    plain = make("none")
    torch.testing.assert_close(noisy(inputs())[0], plain(inputs())[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_one_weight_layout_for_every_rule(rule: RuleName) -> None:
    shapes = {name: value.shape for name, value in make(rule).state_dict().items()}
    assert shapes == {name: value.shape for name, value in make("none").state_dict().items()}


def test_measuring_the_kernel_changes_neither_weights_nor_random_state() -> None:
    lstm = make("none", dtype=torch.float32)
    lstm.kernel = "measured"
    weights = copy.deepcopy(lstm.state_dict())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    lstm(inputs(torch.float32))
    assert lstm.kernel in ("onednn", "native")
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(lstm.state_dict(), weights, atol=0, rtol=0)
    assert all(parameter.grad is None for parameter in lstm.parameters())


@pytest.mark.parametrize("rule", RULE_NAMES)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_usual_kernel_follows_from_network_and_device_alone(rule: RuleName, num_layers: int) -> None:
    """Measured, two trainings of one seed may take two kernels, which round in two ways."""
    lstm = RegularizedLSTM(3, 4, num_layers, make_regularizer(rule, 0.5))
    lstm(torch.zeros(2, 1, 3))
    assert lstm.kernel is None
    assert lstm.usual_kernel("cpu") == "onednn"
    assert lstm.usual_kernel("cuda") == ("stack" if num_layers > 1 and rule in ("none", "zaremba") else "layers")


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_the_kernel_is_measured_wherever_the_first_call_is(
    mode: Callable[[], AbstractContextManager[None]], is_frozen: bool
) -> None:
    lstm = make("zaremba", dtype=torch.float32).train().requires_grad_(not is_frozen)
    lstm.kernel = "measured"
    with mode():
        outputs, _ = lstm(inputs(torch.float32))
    assert outputs.isfinite().all()
    assert lstm.kernel in ("onednn", "native")
    outputs, _ = lstm(inputs(torch.float32).requires_grad_())
    outputs.sum().backward()
    assert all((parameter.grad is None) == is_frozen for parameter in lstm.parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
@pytest.mark.parametrize("kind", [RegularizedLSTM, BidirectionalLSTM])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_network_can_be_copied_and_pickled(kind: type[nn.Module], rule: RuleName, copied: Callable[..., Any]) -> None:
    network = kind(SIZE, SIZE, LAYERS, make_regularizer(rule, 0.4))
    for training in (True, False):
        results = []
        for each in (network, copied(network.train(training))):
            torch.manual_seed(1)
            results.append(each(inputs(torch.float32))[0])
        torch.testing.assert_close(*results)
    assert copied(network).regularizer.acts_in_evaluation == network.regularizer.acts_in_evaluation


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_outside_the_unit_interval_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="dropout rates"):
        make_regularizer("zaremba", rate)


def test_an_unknown_rule_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="zaremba"):
        make_regularizer("zarembo")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_runs_on_a_gpu_as_on_the_cpu(rule: RuleName) -> None:
    lstm = make(rule, 0.3, dtype=torch.float32).eval()
    expected, _ = lstm(inputs(torch.float32))
    outputs, _ = lstm.cuda()(inputs(torch.float32).cuda())
    torch.testing.assert_close(outputs.cpu(), expected, atol=1e-5, rtol=1e-4)
    lstm.train()(inputs(torch.float32).cuda())[0].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in lstm.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kernel", ["layers", "stack"])
def test_autocast_gives_the_gpus_library_the_format_that_was_asked_for(kernel: Kernel) -> None:
    lstm = make("none", 0.0, dtype=torch.float32).cuda().train()
    lstm.kernel = kernel
    with torch.autocast("cuda", dtype=torch.bfloat16):
        outputs, state = lstm(inputs(torch.float32).cuda())
    assert outputs.dtype in (torch.bfloat16, torch.float32)  # the latter where cuDNN has no LSTM in bfloat16
    assert state.cell.dtype == torch.float32


@pytest.mark.parametrize("rule", ["none", "zaremba"])
def test_all_layers_in_one_call_are_the_layers_one_by_one(rule: RuleName) -> None:
    lstm = RegularizedLSTM(4, 5, 3, make_regularizer(rule, 0.0)).double().train()
    inputs = torch.randn(6, 2, 4, dtype=torch.float64, requires_grad=True)
    results = []
    for kernel in ("onednn", "stack"):
        lstm.kernel = kernel
        outputs, state = lstm(inputs)
        gradients = torch.autograd.grad(outputs.pow(2).sum() + state.cell.sum(), [inputs, *lstm.parameters()])
        results.append([outputs, *state, *gradients])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_one_call_drops_between_the_layers_too() -> None:
    lstm = RegularizedLSTM(4, 5, 2, make_regularizer("zaremba", 0.5)).train()
    lstm.regularizer = dataclasses.replace(lstm.regularizer, between=lambda tensor: tensor)
    lstm.kernel = "stack"
    inputs = torch.randn(6, 2, 4)
    one, other = (lstm(inputs)[0] for _ in range(2))
    assert not torch.equal(one, other)
    assert torch.equal(one[0] != 0, torch.ones_like(one[0], dtype=torch.bool))  # its own top output is not dropped


@pytest.mark.parametrize("rule", ["naive", "variational", "recurrent", "zoneout", "weight-drop"])
def test_rules_that_no_library_knows_never_take_one_call(rule: RuleName) -> None:
    assert make_regularizer(rule, 0.5).library_rate is None
