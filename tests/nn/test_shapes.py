"""What does not fit a network is refused with both shapes: a library's kernel would compute with it, or crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lstmdrop.nn.attention import LuongAttention, Memory, MemoryReader
from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.cross_entropy import linear_cross_entropy, target_log_probs
from lstmdrop.nn.decoder import AttentionDecoder, PlainDecoder, decoder_log_probs, decoder_loss
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.linear import linear
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LayerWeights, LSTMState, Noise, fused, fused_stack
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer
from lstmdrop.nn.scan import scan
from lstmdrop.nn.shapes import read_backwards

pytestmark = pytest.mark.usefixtures("symbolic_sizes")  # where the tests' own checks of shapes are not

FEATURES, SIZE, TIME, BATCH, LAYERS = 7, 5, 6, 3, 2
RULE = make_regularizer("zaremba", 0.3)


def state(*shape: int, dtype: torch.dtype = torch.float32) -> LSTMState:
    return LSTMState(*torch.zeros(2, *shape, dtype=dtype))


GOOD = state(LAYERS, BATCH, SIZE)
WRONG_STATES = [
    state(LAYERS, 1, SIZE), state(LAYERS, 6, SIZE), state(LAYERS, BATCH, 3), state(1, BATCH, SIZE), state(BATCH, SIZE),
    LSTMState(GOOD.hidden, state(LAYERS, 1, SIZE).cell), LSTMState(state(LAYERS, 1, SIZE).hidden, GOOD.cell),
]  # fmt: skip


def lstm(rule: RuleName = "zaremba", *, training: bool = True, kernel: Kernel | None = None) -> RegularizedLSTM:
    network = RegularizedLSTM(FEATURES, SIZE, LAYERS, make_regularizer(rule, 0.3)).train(training)
    network.kernel = kernel
    return network


def inputs(*shape: int) -> Tensor:
    return torch.zeros(shape or (TIME, BATCH, FEATURES))


@pytest.mark.parametrize("kernel", [None, "onednn", "native", "layers", "stack"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_state_of_another_shape_is_refused_with_both(rule: RuleName, training: bool, kernel: Kernel | None) -> None:
    network = lstm(rule, training=training, kernel=kernel)
    for wrong in WRONG_STATES:
        shape = (wrong.hidden if wrong.hidden.shape != GOOD.hidden.shape else wrong.cell).shape
        for lengths in (None, torch.tensor([6, 2, 4])):
            with pytest.raises(ValueError, match="state") as refusal:
                network(inputs(), wrong, lengths)
            assert str(tuple(shape)) in str(refusal.value)
            assert str((LAYERS, BATCH, SIZE)) in str(refusal.value)
        with pytest.raises(ValueError, match="state has shape"):
            network.unrolled(TIME, BATCH).step(0, inputs()[0], wrong)
    network(inputs(), tuple(GOOD))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_inputs_of_another_shape_format_or_device_are_refused(rule: RuleName, training: bool) -> None:
    network = lstm(rule, training=training)
    for shape in [(TIME, BATCH, 9), (TIME, BATCH, 3), (TIME, FEATURES), (1, TIME, BATCH, FEATURES)]:
        with pytest.raises(ValueError, match=rf"inputs has shape \({str(shape)[1:-1]}\) .*time, batch, {FEATURES}"):
            network(inputs(*shape))
    with pytest.raises(ValueError, match="no step"):
        network(inputs(0, BATCH, FEATURES))
    with pytest.raises(ValueError, match=r"inputs is torch.float64, the weights are torch.float32"):
        network(inputs().double())
    with pytest.raises(ValueError, match=r"state is torch.float64"):
        network(inputs(), state(LAYERS, BATCH, SIZE, dtype=torch.float64))
    with pytest.raises(ValueError, match="on meta, the weights are on cpu"):
        network(inputs().to("meta"))
    for shape in [(1, FEATURES), (BATCH, 9), (BATCH,)]:
        with pytest.raises(ValueError, match="inputs has shape"):
            network.unrolled(TIME, BATCH).step(0, inputs(*shape), GOOD)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([4, 2]), r"lengths has shape \(2,\) where \(3,\)"),
        (torch.tensor([[4, 2, 6]]), "lengths has shape"),
        (torch.tensor([4, 2, 7]), r"from \d to 6.*\[4, 2, 7\]"),
        (torch.tensor([4, 2, -1]), r"from \d to 6"),
        (torch.tensor([4.0, 2.5, 6.0]), "whole numbers"),
    ],
)
def test_lengths_that_are_not_those_of_the_rows_are_refused(lengths: Tensor, message: str) -> None:
    both = BidirectionalLSTM(FEATURES, SIZE, LAYERS, RULE)
    attention = LuongAttention(SIZE, FEATURES)
    for call in (
        lambda: lstm()(inputs(), lengths=lengths),
        lambda: both(inputs(), lengths),
        lambda: both.outputs(inputs(), lengths),
        lambda: read_backwards(inputs(), lengths),
        lambda: attention.memory(inputs().transpose(0, 1), lengths),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_no_row_is_empty_where_something_is_made_of_it() -> None:
    empty = torch.tensor([4, 0, 6])
    with pytest.raises(ValueError, match="from 1 to 6"):
        lstm()(inputs(), lengths=empty)
    with pytest.raises(ValueError, match="from 1 to 6"):
        LuongAttention(SIZE, FEATURES).memory(inputs().transpose(0, 1), empty)  # looks at nothing: not a number


@pytest.mark.parametrize("kind", [RegularizedLSTM, BidirectionalLSTM])
@pytest.mark.parametrize(("sizes", "name"), [((0, 5, 2), "input"), ((7, 0, 2), "hidden"), ((7, 5, 0), "num_layers")])
def test_a_network_of_nothing_is_refused(kind: Any, sizes: tuple[int, int, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.* at least 1, not 0"):
        kind(*sizes, RULE)


def memory(batch: int = BATCH, positions: int = 4) -> Memory:
    return Memory(inputs(batch, positions, FEATURES), inputs(batch, positions, SIZE), torch.ones(batch, positions) > 0)


def attentive() -> AttentionDecoder:
    return AttentionDecoder(9, 4, SIZE, LAYERS, FEATURES, RULE)


WEIGHTS = LayerWeights(inputs(4 * SIZE, FEATURES), inputs(4 * SIZE, SIZE), inputs(4 * SIZE), inputs(4 * SIZE))
TOKENS = torch.zeros(TIME, BATCH, dtype=torch.long)
ONE_STATE = state(BATCH, SIZE)
REFUSED: dict[str, Callable[[], object]] = {
    "one layer's state": lambda: fused(WEIGHTS, inputs(), state(1, SIZE), training=True),
    "one layer's inputs": lambda: fused(WEIGHTS, inputs(TIME, BATCH, 9), ONE_STATE, training=False),
    "a stack's state": lambda: fused_stack([WEIGHTS], inputs(), state(2, BATCH, SIZE), 0.0),
    "a scan's state": lambda: scan(WEIGHTS, inputs(), state(1, SIZE), Noise()),
    "a scan's inputs": lambda: scan(WEIGHTS, inputs(TIME, BATCH, 9), ONE_STATE, Noise()),
    "two directions' inputs": lambda: BidirectionalLSTM(FEATURES, SIZE, 1, RULE)(inputs(TIME, BATCH, 9)),
    "two directions' outputs": lambda: BidirectionalLSTM(FEATURES, SIZE, 1, RULE).outputs(inputs(TIME, BATCH, 9)),
    "a memory's values": lambda: LuongAttention(SIZE, 8).memory(inputs(BATCH, 4, FEATURES)),
    "a memory's mask": lambda: MemoryReader(memory()._replace(is_real=torch.ones(1, 4) > 0)),
    "a memory's keys": lambda: MemoryReader(memory()._replace(keys=inputs(1, 4, SIZE))),
    "too few queries": lambda: MemoryReader(memory())(inputs(1, SIZE)),
    "a query's size": lambda: MemoryReader(memory())(inputs(BATCH, 6)),
    "an embedding's size": lambda: PlainDecoder(9, 4, lstm()),
    "a tied matrix": lambda: PlainDecoder(9, FEATURES, lstm(), tied=True),
    "a tied attentive matrix": lambda: AttentionDecoder(9, 4, SIZE, LAYERS, FEATURES, RULE, tied=True),
    "a decoder's state": lambda: PlainDecoder(9, FEATURES, lstm()).features(TOKENS, WRONG_STATES[0]),
    "tokens alone": lambda: attentive().features(TOKENS[0], attentive().start(GOOD, memory())),
    "an attentive state": lambda: attentive().features(TOKENS, attentive().start(WRONG_STATES[0], memory())),
    "a feed": lambda: attentive().features(TOKENS, attentive().start(GOOD, memory())._replace(feed=inputs(1, SIZE))),
    "another memory": lambda: attentive().features(TOKENS, attentive().start(GOOD, memory(batch=1))),
    "targets of a loss": lambda: decoder_loss(PlainDecoder(9, FEATURES, lstm()), TOKENS, TOKENS[:1], GOOD, 0.0),
    "targets to score": lambda: decoder_log_probs(PlainDecoder(9, FEATURES, lstm()), TOKENS, TOKENS[:1], GOOD),
    "one target": lambda: linear_cross_entropy(inputs(6, 4), inputs(9, 4), inputs(9), TOKENS[0, :1]),
    "one target's log-probability": lambda: target_log_probs(inputs(6, 4), inputs(9, 4), inputs(9), TOKENS[0, :1]),
    "a bias": lambda: linear(inputs(6, 4), inputs(9, 4), inputs(1)),
    "a product": lambda: linear(inputs(6, 4), inputs(9, 5)),
    "a product's format": lambda: linear(inputs(6, 4), inputs(9, 4).double()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_part_refuses_what_does_not_fit(what: str) -> None:
    with pytest.raises(ValueError, match=r"has shape \(|is torch\.|features"):
        REFUSED[what]()


def test_looking_at_shapes_reads_no_number() -> None:
    """So that the host never waits for a device, and a step can be recorded."""

    class Reads(TorchDispatchMode):
        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            assert op is not torch.ops.aten._local_scalar_dense.default
            return op(*args, **(kwargs or {}))

    network = lstm(kernel="native")
    network(inputs(), GOOD)
    with Reads():
        network(inputs(), GOOD)
        network.unrolled(TIME, BATCH).step(0, inputs()[0], GOOD)
    elsewhere = torch.zeros(BATCH, dtype=torch.long, device="meta")  # has no numbers to read
    LuongAttention(SIZE, FEATURES).to("meta").memory(torch.zeros(BATCH, TIME, FEATURES, device="meta"), elsewhere)
    read_backwards(torch.zeros(TIME, BATCH, FEATURES, device="meta"), elsewhere)
