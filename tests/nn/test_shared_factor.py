"""Laws of the shared factor: the same gradients as plain products, whatever loop it stands in."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.linear import SharedFactor

SHAPES = [((2, 3), (3, 3)), ((2, 1, 3), (2, 3, 3))]


@pytest.mark.parametrize(("rows", "matrix"), SHAPES)
def test_gradients_through_a_loop_are_right(rows: tuple[int, ...], matrix: tuple[int, ...]) -> None:
    def loop(inputs: Tensor, matrix: Tensor) -> Tensor:
        factor = SharedFactor(matrix.mT)
        for _ in range(4):
            inputs = torch.tanh(factor(inputs)) + inputs
        return inputs

    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in (rows, matrix)]
    assert torch.autograd.gradcheck(loop, leaves)


def test_a_second_backward_pass_adds_the_same_gradient_again() -> None:
    matrix, inputs = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3)
    factor = SharedFactor(matrix)
    loss = factor(factor(inputs)).sum()
    loss.backward(retain_graph=True)
    assert matrix.grad is not None
    once = matrix.grad.clone()
    loss.backward()
    torch.testing.assert_close(matrix.grad, 2 * once)


def test_steps_that_the_loss_does_not_depend_on_leave_no_trace() -> None:
    matrix, inputs = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3)
    factor = SharedFactor(matrix)
    used, _ = factor(inputs), factor(inputs * 2)
    used.sum().backward()
    torch.testing.assert_close(matrix.grad, inputs.sum(0)[:, None].expand(3, 3))


def test_inputs_without_a_gradient_and_a_matrix_without_one() -> None:
    matrix, inputs = torch.randn(3, 3), torch.randn(2, 3, requires_grad=True)
    SharedFactor(matrix)(inputs).sum().backward()
    torch.testing.assert_close(inputs.grad, matrix.sum(1).expand(2, 3))
    with torch.no_grad():
        product = SharedFactor(matrix.requires_grad_())(inputs)
    assert not product.requires_grad


def test_under_autocast_products_and_gradients_are_those_of_low_precision() -> None:
    matrix, inputs = torch.randn(8, 8, requires_grad=True), torch.randn(2, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = SharedFactor(matrix)(inputs)
        expected = inputs.detach() @ matrix.detach()
    product.sum().backward()
    assert product.dtype == torch.bfloat16
    assert torch.equal(product, expected)
    assert matrix.grad is not None
    assert matrix.grad.dtype == torch.float32
    torch.testing.assert_close(matrix.grad, inputs.detach().sum(0)[:, None].expand(8, 8), atol=0.05, rtol=0.05)
