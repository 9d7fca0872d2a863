"""Padded rows: padding changes nothing, for every rule, in value and in gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import RULE_NAMES, RuleName, make_regularizer
from lstmdrop.nn.shapes import Span, spans

LENGTHS = torch.tensor([2, 6, 4, 6, 1])
TIME, BATCH, SIZE = 6, 5, 3


def padded(filler: float = 0.0) -> Tensor:
    inputs = torch.randn(TIME, BATCH, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return inputs.masked_fill((torch.arange(TIME)[:, None] >= LENGTHS)[..., None], filler)


def make(kind: type[nn.Module], rule: RuleName, dropout: float = 0.5) -> nn.Module:
    torch.manual_seed(0)
    return kind(SIZE, SIZE, 2, make_regularizer(rule, dropout)).to(torch.float64)


@pytest.mark.parametrize("kind", [RegularizedLSTM, BidirectionalLSTM])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_row_in_a_padded_batch_is_the_row_alone(kind: type[nn.Module], rule: RuleName) -> None:
    lstm = make(kind, rule).eval()
    outputs, final = lstm(padded(filler=9.0), lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, end = lstm(padded()[:length, row : row + 1])
        torch.testing.assert_close(outputs[:length, row : row + 1], alone, atol=1e-12, rtol=0)
        assert not outputs[length:, row].any()
        for part, expected in zip(final, end, strict=True):
            torch.testing.assert_close(part[:, row : row + 1], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", [RegularizedLSTM, BidirectionalLSTM])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_in_training_too_padding_changes_nothing(kind: type[nn.Module], rule: RuleName) -> None:
    results = []
    for filler in (0.0, 9.0):
        lstm = make(kind, rule).train()
        torch.manual_seed(7)
        outputs, final = lstm(padded(filler), lengths=LENGTHS)
        (outputs.sum() + final.cell.sum()).backward()
        results.append([outputs, *final, *(parameter.grad for parameter in lstm.parameters())])
    torch.testing.assert_close(*results, atol=1e-12, rtol=0)


@pytest.mark.parametrize("rule", ["none", "naive", "variational", "zoneout", "weight-drop"])
def test_equal_lengths_are_no_lengths(rule: RuleName) -> None:
    """The same masks too: they are drawn for the whole pass, however it is cut."""
    lstm = make(RegularizedLSTM, rule).train()
    inputs = padded()
    torch.manual_seed(7)
    expected = lstm(inputs)
    torch.manual_seed(7)
    torch.testing.assert_close(lstm(inputs, lengths=torch.full((BATCH,), TIME)), expected, atol=1e-12, rtol=0)


def test_variational_masks_stay_the_same_from_piece_to_piece() -> None:
    """Silent weights make the outputs those of the masks: with a constant input, constant in time."""
    lstm = make(RegularizedLSTM, "variational").train()
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            parameter.zero_()
            if name.endswith("bias_ih_l0"):
                parameter.copy_(torch.tensor([9.0, -9.0, 9.0, 9.0]).repeat_interleave(SIZE))  # remembers nothing
    outputs, _ = lstm(padded(), lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        is_dropped = outputs[:length, row] == 0
        assert (is_dropped == is_dropped[0]).all()
    assert (outputs[0] == 0).any()
    assert (outputs[0] != 0).any()


def test_bidirectional_without_dropout_equals_pytorchs() -> None:
    lstm = make(BidirectionalLSTM, "none")
    twin = nn.LSTM(SIZE, SIZE, 2, bidirectional=True, dtype=torch.float64)
    for number, (ahead, back) in enumerate(zip(lstm.ahead, lstm.back, strict=True)):
        for suffix, direction in (("", ahead), ("_reverse", back)):
            for name, value in direction.layers[0].named_parameters():
                getattr(twin, name.replace("l0", f"l{number}{suffix}")).data.copy_(value)
    outputs, final = lstm(padded())
    expected, (hidden, _) = twin(padded())
    torch.testing.assert_close(outputs, expected, atol=1e-10, rtol=0)
    assert torch.equal(final.hidden[1, :, :SIZE], outputs[-1, :, :SIZE])
    torch.testing.assert_close(final.hidden[1], torch.cat([hidden[2], hidden[3]], -1), atol=1e-10, rtol=0)


def test_bidirectional_masks_are_one_for_both_directions() -> None:
    """With only the first mask drawn, dropping all that one input has silences it for both."""
    lstm = make(BidirectionalLSTM, "zaremba", 0.99).train()
    seen: list[Tensor] = []
    for layer in (lstm.ahead[0], lstm.back[0]):
        layer.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    lstm(padded())
    ahead, back = seen
    assert torch.equal(ahead, back.flip(0))


def test_spans_are_the_pieces_in_which_rows_run() -> None:
    assert spans(torch.tensor([5, 5, 3, 1])) == [
        Span(slice(0, 1), slice(4)), Span(slice(1, 3), slice(3)), Span(slice(3, 5), slice(2))
    ]  # fmt: skip


@pytest.mark.parametrize("lengths", [[2, 0], [1, 2]])
def test_spans_refuse_what_is_no_falling_length(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        spans(torch.tensor(lengths))
