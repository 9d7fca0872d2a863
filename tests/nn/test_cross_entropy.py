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
