"""The fused softmax loss against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lstmdrop.nn.cross_entropy import linear_cross_entropy, smoothed_cross_entropy, target_log_probs


def problem(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features, weight, bias = (
        torch.randn(*shape, dtype=dtype, generator=generator).requires_grad_() for shape in [(6, 4), (9, 4), (9,)]
    )
    return features, weight, bias, torch.tensor([0, 8, 3, 3, 1, 0])


def test_value_and_gradients_equal_pytorchs() -> None:
    ours, theirs = problem(), problem()
    loss = linear_cross_entropy(*ours)
    expected = F.cross_entropy(F.linear(*theirs[:3]), theirs[3], reduction="sum")
    (loss * 3).backward()
    (expected * 3).backward()
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=0)
    for mine, other in zip(ours[:3], theirs[:3], strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-12, rtol=0)


def test_gradcheck() -> None:
    *tensors, targets = problem()
    assert torch.autograd.gradcheck(lambda *values: linear_cross_entropy(*values, targets), tuple(tensors))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothed_labels_equal_pytorchs(smoothing: float) -> None:
    ours, theirs = problem(), problem()
    loss, plain = smoothed_cross_entropy(*ours, smoothing=smoothing)
    logits = F.linear(*theirs[:3])
    expected = F.cross_entropy(logits, theirs[3], reduction="sum", label_smoothing=smoothing)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(plain, F.cross_entropy(logits, theirs[3], reduction="sum").detach(), atol=1e-12, rtol=0)
    assert not plain.requires_grad
    for mine, other in zip(ours[:3], theirs[:3], strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-12, rtol=0)


def test_log_probs_are_those_of_log_softmax_whatever_the_chunk() -> None:
    features, weight, bias, targets = problem()
    expected = F.linear(features, weight, bias).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    for chunk_size in (1, 4, 100):
        found = target_log_probs(features, weight, bias, targets, chunk_size=chunk_size)
        torch.testing.assert_close(found, expected.detach(), atol=1e-12, rtol=0)


def test_bfloat16_features_still_sum_in_float32() -> None:
    features, weight, bias, targets = problem(torch.float32)
    loss = linear_cross_entropy(features.bfloat16(), weight, bias, targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, linear_cross_entropy(features, weight, bias, targets), atol=0.2, rtol=0.02)


def test_huge_logits_do_not_overflow() -> None:
    features, weight, bias, targets = problem(torch.float32)
    assert torch.isfinite(linear_cross_entropy(features * 1e4, weight, bias, targets))


def test_a_constant_added_to_all_logits_changes_nothing() -> None:
    features, weight, bias, targets = problem()
    loss = linear_cross_entropy(features, weight, bias, targets)
    torch.testing.assert_close(linear_cross_entropy(features, weight, bias + 300, targets), loss)
    torch.testing.assert_close(
        target_log_probs(features, weight, bias + 300, targets), target_log_probs(features, weight, bias, targets)
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_the_loss_is_the_sum_over_its_items_in_any_order(smoothing: float) -> None:
    features, weight, bias, targets = problem()
    loss, plain = smoothed_cross_entropy(features, weight, bias, targets, smoothing)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    for part, whole in zip(smoothed_cross_entropy(features[order], weight, bias, targets[order], smoothing),
                           (loss, plain), strict=True):  # fmt: skip
        torch.testing.assert_close(part, whole)
    halves = [smoothed_cross_entropy(features[part], weight, bias, targets[part], smoothing)
              for part in (slice(2), slice(2, None))]  # fmt: skip
    torch.testing.assert_close(halves[0][0] + halves[1][0], loss)
    torch.testing.assert_close(halves[0][1] + halves[1][1], plain)


def test_labels_that_are_all_smoothed_away_play_no_part() -> None:
    features, weight, bias, targets = problem()
    loss, _ = smoothed_cross_entropy(features, weight, bias, targets, 1.0)
    other, _ = smoothed_cross_entropy(features, weight, bias, (targets + 1) % 9, 1.0)
    torch.testing.assert_close(loss, other)
    expected = -F.linear(features, weight, bias).log_softmax(-1).mean(1).sum()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True), (False,) * 3])
def test_each_gradient_is_right_whichever_others_are_asked_for(wanted: tuple[bool, bool, bool]) -> None:
    *tensors, targets = problem()
    given = [tensor.detach().requires_grad_(is_wanted) for tensor, is_wanted in zip(tensors, wanted, strict=True)]
    loss = linear_cross_entropy(*given, targets)  # type: ignore[arg-type]
    expected = F.cross_entropy(F.linear(*tensors), targets, reduction="sum")
    torch.testing.assert_close(loss, expected.detach(), check_dtype=True)
    assert loss.requires_grad == any(wanted)
    if any(wanted):
        asked = [index for index, is_wanted in enumerate(wanted) if is_wanted]
        found = torch.autograd.grad(loss, [given[index] for index in asked])
        torch.testing.assert_close(found, torch.autograd.grad(expected, [tensors[index] for index in asked]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_items_have_no_loss_and_no_gradient(dtype: torch.dtype) -> None:
    *tensors, targets = problem(dtype)
    loss = linear_cross_entropy(tensors[0][:0], tensors[1], tensors[2], targets[:0])
    loss.backward()
    assert float(loss.detach()) == 0
    assert tensors[1].grad is not None
    assert not tensors[1].grad.any()


def test_log_probs_of_every_word_sum_to_one_and_leave_no_graph() -> None:
    features, weight, bias, _ = problem()
    every = [target_log_probs(features, weight, bias, torch.full((6,), word)) for word in range(9)]
    torch.testing.assert_close(torch.stack(every).exp().sum(0), torch.ones(6, dtype=torch.float64))
    assert not every[0].requires_grad


def test_the_gradient_of_the_weights_lies_row_by_row() -> None:
    """As the optimiser's own memory does, so that both are walked through alike."""
    *tensors, targets = problem(torch.float32)
    linear_cross_entropy(*tensors, targets).backward()  # type: ignore[arg-type]
    assert tensors[1].grad is not None
    assert tensors[1].grad.is_contiguous()
