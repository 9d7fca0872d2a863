"""A matrix that a loop multiplies by at every step, its gradient made in one product after the last."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class SharedFactor:
    """``factor(x)`` is ``x @ matrix``; what the steps leave for the matrix's gradient is multiplied all at once.

    Autograd alone makes one narrow product a step and adds up matrices as large as the factor: for the few rows of
    a step these cost more than the products themselves.
    """

    def __init__(self, matrix: Float[Tensor, "*batch inputs outputs"]) -> None:
        device = matrix.device.type
        if torch.is_autocast_enabled(device):  # which does not reach into a backward pass
            matrix = matrix.to(torch.get_autocast_dtype(device))
        self._steps: list[tuple[Tensor, Tensor]] = []
        self._is_followed = torch.is_grad_enabled() and matrix.requires_grad
        self._matrix: Tensor = _Gather.apply(matrix, self._steps) if self._is_followed else matrix  # type: ignore[no-untyped-call]

    def __call__(self, inputs: Float[Tensor, "*batch rows inputs"]) -> Float[Tensor, "*batch rows outputs"]:
        """The product of one step."""
        inputs = inputs.to(self._matrix.dtype)
        if not self._is_followed:
            return inputs @ self._matrix
        product: Tensor = _Multiply.apply(inputs, self._matrix, self._steps)  # type: ignore[no-untyped-call]
        return product


class _Multiply(torch.autograd.Function):
    """Gives the inputs their gradient, and leaves the matrix's to `_Gather`."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, matrix: Tensor, steps: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.save_for_backward(inputs, matrix)
        ctx.steps = steps
        return inputs @ matrix

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        inputs, matrix = ctx.saved_tensors
        ctx.steps.append((inputs, grads[0]))
        return grads[0] @ matrix.mT, None, None


class _Gather(torch.autograd.Function):
    """The matrix itself; its backward pass comes after those of all steps."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, steps: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.steps = steps
        ctx.set_materialize_grads(False)
        return matrix.view_as(matrix)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, None]:
        inputs, slopes = (torch.cat(part, -2) for part in zip(*ctx.steps, strict=True))
        ctx.steps.clear()
        return inputs.mT @ slopes, None
