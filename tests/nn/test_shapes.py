"""What does not fit is refused, whatever the rule and the kernel: a kernel would read past its end."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from torch import Tensor, nn

from lstmdrop.nn.attention import LuongAttention, MemoryReader
from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.decoder import AttentionDecoder, PlainDecoder
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer


@pytest.fixture(autouse=True)
def _without_checked_annotations() -> Iterator[None]:
    """As users run it: the annotations that tests check would refuse some of this before the code does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


TIME, BATCH, FEATURES, HIDDEN, LAYERS = 6, 4, 7, 5, 2
RULES_AND_KERNELS: list[tuple[RuleName, Kernel]] = [
    (rule, kernel) for rule in RULE_NAMES for kernel in ("onednn", "native", "stack")
]


def make(rule: RuleName = "none", kernel: Kernel = "native") -> RegularizedLSTM:
    lstm = RegularizedLSTM(FEATURES, HIDDEN, LAYERS, make_regularizer(rule, 0.3))
    lstm.kernel = kernel
    return lstm


def state(layers: int = LAYERS, batch: int = BATCH, hidden: int = HIDDEN) -> LSTMState:
    return LSTMState(torch.zeros(layers, batch, hidden), torch.zeros(layers, batch, hidden))


WRONG_STATES = {
    "one row for all": state(batch=1),
    "too many rows": state(batch=BATCH + 2),
    "another size": state(hidden=3),
    "a layer too few": state(layers=1),
    "a layer too many": state(layers=3),
    "a cell of another size": LSTMState(state().hidden, state(batch=1).cell),
    "no layers' axis": LSTMState(torch.zeros(BATCH, HIDDEN), torch.zeros(BATCH, HIDDEN)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("rule", "kernel"), RULES_AND_KERNELS)
def test_a_state_of_another_shape_is_refused_with_both_shapes(rule: RuleName, kernel: Kernel, training: bool) -> None:
    lstm = make(rule, kernel).train(training)
    for wrong in WRONG_STATES.values():
        with pytest.raises(ValueError, match=r"\(layers, batch, hidden\) is \(2, 4, 5\)"):
            lstm(torch.zeros(TIME, BATCH, FEATURES), wrong)


@pytest.mark.parametrize(("rule", "kernel"), RULES_AND_KERNELS)
@pytest.mark.parametrize(
    "shape",
    [
        (TIME, BATCH, 9),
        (TIME, BATCH, 3),
        (TIME, FEATURES),
        (FEATURES,),
        (),
        (TIME, BATCH, 1, FEATURES),
        (0, BATCH, FEATURES),
        (TIME, 0, 7),
    ],
)
def test_inputs_of_another_shape_are_refused(rule: RuleName, kernel: Kernel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"inputs of shape .* reads \(time, batch, 7\)"):
        make(rule, kernel)(torch.zeros(shape))


@pytest.mark.parametrize("rule", RULE_NAMES)
@pytest.mark.parametrize(
    "lengths",
    [
        torch.tensor([6, 5]), torch.tensor([6, 5, 4, 3, 2]), torch.tensor([6, 5, 4, TIME + 1]),
        torch.tensor([6, 5, 4, 0]),
        torch.tensor([6, 5, 4, -1]), torch.tensor([6.0, 5.0, 4.0, 3.0]), torch.tensor([[6, 5, 4, 3]]),
        torch.ones(BATCH, dtype=torch.bool),
    ],
)  # fmt: skip
def test_lengths_that_are_not_those_of_the_batch_are_refused(rule: RuleName, lengths: Tensor) -> None:
    inputs = torch.zeros(TIME, BATCH, FEATURES)
    with pytest.raises(ValueError, match="lengths"):
        make(rule)(inputs, lengths=lengths)
    with pytest.raises(ValueError, match="lengths"):
        BidirectionalLSTM(FEATURES, HIDDEN, LAYERS, make_regularizer(rule, 0.3))(inputs, lengths)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_pass_step_by_step_refuses_the_same(rule: RuleName) -> None:
    lstm = make(rule)
    unrolled = lstm.unrolled(TIME, BATCH)
    for wrong in WRONG_STATES.values():
        with pytest.raises(ValueError, match=r"\(layers, batch, hidden\)"):
            unrolled.step(0, torch.zeros(BATCH, FEATURES), wrong)
    for inputs in (torch.zeros(1, FEATURES), torch.zeros(BATCH, 3), torch.zeros(1, BATCH, FEATURES)):
        with pytest.raises(ValueError, match=r"\(batch, features\) is \(4, 7\)"):
            unrolled.step(0, inputs, state())
    with pytest.raises(ValueError, match="at least one step"):
        lstm.unrolled(0, BATCH)


@pytest.mark.parametrize("sizes", [(0, 5, 2), (7, 0, 2), (7, 5, 0), (7, 5, -1)])
def test_a_network_without_layers_or_units_is_refused(sizes: tuple[int, int, int]) -> None:
    for network in (RegularizedLSTM, BidirectionalLSTM):
        with pytest.raises(ValueError, match="at least one"):
            network(*sizes, make_regularizer("none"))


def test_attention_refuses_what_would_be_spread_over_its_rows() -> None:
    attention = LuongAttention(5, 3)
    for lengths in (torch.tensor([2]), torch.tensor([2, 2, 2]), torch.tensor([[2, 2]])):
        with pytest.raises(ValueError, match="lengths"):
            attention.memory(torch.zeros(2, 4, 3), lengths)
    with pytest.raises(ValueError, match="rows"):
        MemoryReader(attention.memory(torch.zeros(2, 4, 3)))(torch.zeros(3, 5))


def modules(rule: RuleName) -> list[nn.Module]:
    regularizer = make_regularizer(rule, 0.3)
    return [
        RegularizedLSTM(FEATURES, HIDDEN, LAYERS, regularizer),
        BidirectionalLSTM(FEATURES, HIDDEN, LAYERS, regularizer),
        PlainDecoder(9, HIDDEN, RegularizedLSTM(HIDDEN, HIDDEN, 1, regularizer), tied=True),
        AttentionDecoder(9, HIDDEN, HIDDEN, 1, 3, regularizer, tied=True, gated=True),
    ]


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_networks_can_be_pickled_and_copied(rule: RuleName) -> None:
    for module in modules(rule):
        for twin in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
            for (name, value), (other, same) in zip(
                module.state_dict().items(), twin.state_dict().items(), strict=True
            ):
                assert name == other
                assert torch.equal(value, same)
