"""Laws of the decoders: one pass is its steps, padding is nothing, every rule acts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.nn.attention import LuongAttention, MemoryReader
from lstmdrop.nn.decoder import PADDING, AttentionDecoder, PlainDecoder, decoder_log_probs, decoder_loss
from lstmdrop.nn.linear import draw_by_width
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer

WORDS, SIZE, LAYERS, BATCH = 9, 4, 2, 3
TARGETS = torch.tensor([[3, 5, 1], [4, 1, PADDING], [1, PADDING, PADDING]])
INPUTS = torch.cat([torch.ones(1, BATCH, dtype=torch.long), TARGETS[:-1].clamp(min=0)])
LENGTHS = torch.tensor([5, 2, 3])


def start(batch_size: int = BATCH) -> LSTMState:
    generator = torch.Generator().manual_seed(3)
    return LSTMState(*torch.randn(2, LAYERS, BATCH, SIZE, dtype=torch.float64, generator=generator)[:, :, :batch_size])


def plain(rule: RuleName = "none", dropout: float = 0.5) -> tuple[Any, Any]:
    torch.manual_seed(0)
    lstm = RegularizedLSTM(SIZE, SIZE, LAYERS, make_regularizer(rule, dropout))
    return PlainDecoder(WORDS, SIZE, lstm).to(torch.float64), start()


def attentive(rule: RuleName = "none", dropout: float = 0.5) -> tuple[Any, Any]:
    torch.manual_seed(0)
    decoder = AttentionDecoder(WORDS, 3, SIZE, LAYERS, 6, make_regularizer(rule, dropout)).to(torch.float64)
    return decoder, begin(decoder)


def begin(decoder: Any) -> Any:
    """The state before the first token, which depends on the decoder's weights where it has attention."""
    if isinstance(decoder, PlainDecoder):
        return start()
    memory = torch.randn(BATCH, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    return decoder.start(start(), decoder.attention.memory(memory, LENGTHS))


KINDS = pytest.mark.parametrize("make", [plain, attentive])


@KINDS
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_step_by_step_gives_the_log_probs_of_the_whole(make: Any, rule: RuleName) -> None:
    decoder, state = make(rule)
    decoder.eval()
    expected = decoder_log_probs(decoder, INPUTS, TARGETS, state)
    for tokens, targets, row in zip(INPUTS, TARGETS, expected, strict=True):
        log_probs, _, state = decoder.step(tokens, state)
        torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(BATCH, dtype=torch.float64))
        for column in range(BATCH):
            if targets[column] != PADDING:
                torch.testing.assert_close(log_probs[column, targets[column]], row[column], atol=1e-12, rtol=0)


@KINDS
def test_loss_is_the_sum_over_real_targets(make: Any) -> None:
    decoder, state = make()
    decoder.eval()
    total, nll = decoder_loss(decoder, INPUTS, TARGETS, state, 0.0)
    log_probs = decoder_log_probs(decoder, INPUTS, TARGETS, state)
    torch.testing.assert_close(total, -log_probs.sum(), atol=1e-12, rtol=0)
    torch.testing.assert_close(nll, -log_probs.sum(), atol=1e-12, rtol=0)
    assert not log_probs[TARGETS == PADDING].any()


@KINDS
def test_selected_rows_go_on_as_themselves(make: Any) -> None:
    decoder, state = make()
    decoder.eval()
    rows = torch.tensor([2, 0, 2])
    log_probs, _, after = decoder.step(INPUTS[0], state)
    chosen, _, after_chosen = decoder.step(INPUTS[0][rows], decoder.select(state, rows))
    torch.testing.assert_close(chosen, log_probs[rows], atol=1e-12, rtol=0)
    expected, _, _ = decoder.step(INPUTS[1], after)
    again, _, _ = decoder.step(INPUTS[1][rows], after_chosen)
    torch.testing.assert_close(again, expected[rows], atol=1e-12, rtol=0)


@KINDS
@pytest.mark.parametrize("rule", [rule for rule in RULE_NAMES if rule != "none"])
def test_every_rule_is_live_in_training_and_passes_gradcheck(make: Any, rule: RuleName) -> None:
    decoder, _ = make(rule)

    def loss(*_: Tensor) -> Tensor:
        torch.manual_seed(5)
        return decoder_loss(decoder, INPUTS, TARGETS, begin(decoder), 0.1)[0]

    quiet = decoder_loss(make("none")[0], INPUTS, TARGETS, make("none")[1], 0.1)[0]
    assert not torch.isclose(loss(), quiet)
    assert torch.autograd.gradcheck(loss, tuple(decoder.parameters()), fast_mode=True)


def test_input_feeding_dropout_is_fresh_at_each_step_or_locked() -> None:
    for rule, is_constant in (("zaremba", False), ("variational", True)):
        lstm = RegularizedLSTM(SIZE, SIZE, LAYERS, make_regularizer(rule, 0.5)).train()  # type: ignore[arg-type]
        unrolled = lstm.unrolled(20, 3)
        assert len(unrolled.masks) == LAYERS + 1
        for mask in unrolled.masks:
            assert mask is not None
            assert all(torch.equal(step, mask[0]) for step in mask) == is_constant


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_unrolled_steps_are_the_pass_of_the_fused_lstm(rule: RuleName) -> None:
    lstm = RegularizedLSTM(SIZE, SIZE, LAYERS, make_regularizer(rule, 0.5)).to(torch.float64).eval()
    inputs = torch.randn(6, BATCH, SIZE, dtype=torch.float64)
    expected, final = lstm(inputs, start())
    unrolled, state, outputs = lstm.unrolled(6, BATCH), start(), []
    for t in range(6):
        output, state = unrolled.step(t, inputs[t], state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs), expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(state, final, atol=1e-10, rtol=0)


def test_attention_looks_at_real_positions_only_and_at_the_likest_most() -> None:
    attention = LuongAttention(2, 2)
    nn.init.eye_(attention.key.weight)
    values = torch.tensor([[[5.0, 0.0], [0.0, 5.0], [9.0, 9.0]]])
    context, weights = MemoryReader(attention.memory(values, torch.tensor([2])))(torch.tensor([[1.0, 0.0]]))
    expected = torch.softmax(torch.tensor([5.0, 0.0]) / 2**0.5, 0)
    torch.testing.assert_close(weights, torch.cat([expected, torch.zeros(1)])[None])
    torch.testing.assert_close(context, (5 * expected)[None])


@pytest.mark.parametrize("rows", [[0, 0, 1, 1], [0, 2, 2], [1, 1, 1], [2, 0, 1, 1], [0, 1, 0]])
def test_selected_rows_read_what_they_read_before(rows: list[int]) -> None:
    attention = LuongAttention(4, 6)
    memory = attention.memory(torch.randn(3, 5, 6), torch.tensor([5, 2, 3]))
    for chosen in (torch.tensor(rows), torch.arange(len(rows)).flip(0), torch.tensor([len(rows) - 1])):
        queries = torch.randn(memory.num_readers * len(memory.values), 4)
        expected = [part[chosen] for part in MemoryReader(memory)(queries)]
        memory = memory.select(chosen)
        found = MemoryReader(memory)(queries[chosen])
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)


def test_the_memory_is_not_copied_for_each_of_its_readers() -> None:
    memory = LuongAttention(4, 6).memory(torch.randn(3, 5, 6))
    beams = memory.select(torch.tensor([0, 0, 1, 1, 2, 2]))
    assert beams.values is memory.values
    assert beams.select(torch.tensor([1, 0, 4, 5])).values.shape[0] == 2


def test_attention_is_that_of_the_transformer() -> None:
    """Vaswani et al. 2017, equation 1, by PyTorch's own function."""
    torch.manual_seed(1)
    attention = LuongAttention(SIZE, SIZE).double()
    values, query = torch.randn(BATCH, 5, SIZE).double(), torch.randn(BATCH, SIZE).double()
    context, _ = MemoryReader(attention.memory(values))(query)
    expected = F.scaled_dot_product_attention(query[:, None], attention.key(values), values)[:, 0]
    torch.testing.assert_close(context, expected)


@pytest.mark.parametrize("tied", [False, True])
def test_words_are_read_with_variance_one_and_a_softmax_starts_flat(tied: bool) -> None:
    size = 64
    decoder = PlainDecoder(500, size, RegularizedLSTM(size, size, 1, make_regularizer("none")), tied=tied)
    draw_by_width(decoder, torch.Generator().manual_seed(1))
    assert float(decoder.embedding(torch.arange(500)).detach().std()) == pytest.approx(1, rel=0.02)
    assert float(decoder.softmax.weight.detach().std()) == pytest.approx(size**-0.5, rel=0.02)
    assert (decoder.softmax.weight is decoder.embedding.weight) is tied


def test_a_gate_is_a_sigmoid_of_the_output_on_what_is_seen() -> None:
    """Beside the steps written out."""
    torch.manual_seed(2)
    decoder = AttentionDecoder(WORDS, 3, SIZE, 1, 6, make_regularizer("none"), gated=True).double().eval()
    assert decoder.gate is not None
    memory = decoder.attention.memory(torch.randn(BATCH, 5, 6).double())
    state = decoder.start(LSTMState(*torch.randn(2, 1, BATCH, SIZE).double()), memory)
    features, _ = decoder.features(INPUTS[:1], state)
    inputs = torch.cat([decoder.embedding(INPUTS[0]), state.feed], 1)
    output, _ = decoder.lstm(inputs[None], state.lstm)
    weights = torch.einsum("bpq,bq->bp", memory.keys, output[0]).softmax(1)
    context = torch.sigmoid(decoder.gate(output[0])) * torch.einsum("bp,bpf->bf", weights, memory.values)
    torch.testing.assert_close(features[0], torch.tanh(decoder.combine(torch.cat([context, output[0]], 1))))
