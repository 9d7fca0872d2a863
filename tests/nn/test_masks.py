"""Laws of dropout masks: what their entries are, how often, and what they share."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.shapes import draw_mask, drop_each_step, drop_locked

RATES = [0.1, 0.5, 0.9]
STEPS, BATCH, SIZE = 40, 15, 20


def ones(*shape: int) -> Tensor:
    return torch.ones(shape or (STEPS, BATCH, SIZE), dtype=torch.float64)


@pytest.mark.parametrize("rate", RATES)
def test_an_entry_is_zero_as_often_as_the_rate_says_and_else_scaled_up(rate: float) -> None:
    torch.manual_seed(1)
    mask = draw_mask((300, 100), rate, ones(1))
    kept = mask[mask != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))
    deviation = math.sqrt(rate * (1 - rate) / mask.numel())
    assert 1 - len(kept) / mask.numel() == pytest.approx(rate, abs=4 * deviation)


def test_a_rate_of_zero_drops_nothing() -> None:
    assert torch.equal(draw_mask((4, 5), 0.0, ones(1)), ones(4, 5))
    values = torch.randn(3, 2, 4)
    assert torch.equal(drop_each_step(values, 0.0), values)
    assert torch.equal(drop_locked(values, 0.0), values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mask_is_of_the_format_that_it_is_drawn_like_and_leaves_that_alone(dtype: torch.dtype) -> None:
    like = torch.full((2, 3), 7.0, dtype=dtype)
    mask = draw_mask((5, 4), 0.5, like)
    assert (mask.shape, mask.dtype) == ((5, 4), dtype)
    assert torch.equal(like, torch.full((2, 3), 7.0, dtype=dtype))
    assert not mask.requires_grad


@pytest.mark.parametrize("rate", RATES)
def test_each_step_has_a_mask_of_its_own_and_a_locked_one_is_the_same_at_all(rate: float) -> None:
    torch.manual_seed(2)
    fresh, locked = drop_each_step(ones(), rate), drop_locked(ones(), rate)
    assert torch.equal(locked, locked[:1].expand_as(locked))
    assert len({tuple(step.flatten().tolist()) for step in fresh}) == STEPS
    always_dropped = (fresh == 0).all(0).double().mean()
    assert float(always_dropped) == pytest.approx(rate**STEPS, abs=0.06)
    for dropped in (fresh[0], locked[0]):  # rows of a batch and features fall apart from each other
        assert len({tuple(row.tolist()) for row in dropped}) > 1
        assert len({tuple(column.tolist()) for column in dropped.T}) > 1


@pytest.mark.parametrize("drop", [drop_each_step, drop_locked])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(drop: Callable[[Tensor, float], Tensor]) -> None:
    torch.manual_seed(3)
    values = torch.randn(4, 3, 5, dtype=torch.float64)
    mean = torch.stack([drop(values, 0.3) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, values, atol=0.06, rtol=0.06)


@pytest.mark.parametrize("drop", [drop_each_step, drop_locked])
def test_the_gradient_passes_where_the_value_does(drop: Callable[[Tensor, float], Tensor]) -> None:
    torch.manual_seed(4)
    values = torch.rand(6, 3, 5, dtype=torch.float64).add(1).requires_grad_()
    dropped = drop(values, 0.4)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, dropped)
    assert torch.equal(values.grad == 0, dropped == 0)
