"""Matrix products: outside the reach of autograd, with one factor for many steps, and how matrices begin."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lstmdrop.nn.shapes import require_alike, require_shape


def linear(
    inputs: Float[Tensor, "items features"],
    weight: Float[Tensor, "outputs features"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "items outputs"]:
    """``inputs @ weight.T + bias``; it has no gradient.

    For the few hundred rows of a window and a large vocabulary, oneDNN takes 0.6 to 1.0 of the time of the
    BLAS that PyTorch calls on the CPU (docs/results/lm/README.md), and adds the bias on the way.

    Raises:
        ValueError: the shapes, number formats or devices do not fit.
    """
    require_shape("inputs", inputs, ("items", weight.shape[-1]))
    require_alike("inputs", inputs, weight)
    if bias is not None:
        require_shape("bias", bias, (weight.shape[0],))
    is_known = inputs.device.type == "cpu" and inputs.dtype == torch.float32 and not torch.compiler.is_exporting()
    if is_known and inputs.numel() and _has_onednn():  # which knows no products of nothing
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
        return product
    return F.linear(inputs, weight, bias)


def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


PACKED_SIZE, PACKED_STEPS = 1 << 19, 8
"""From so many numbers of a matrix, and so many products with it, on: packing it then costs less than it saves.

Of 20 rows and 650 x 2,600 numbers, on one AVX2 core, a product takes 0.6 to 0.7 of the time that BLAS takes, and
packing as long as one to four products; at 200 x 800 it does not pay.
"""


class StepFactor:
    """Products of the few rows of each of many steps with one matrix, outside the reach of autograd.

    On a CPU they are oneDNN's, whose sums do not depend on the number of threads as those of BLAS may, and a large
    matrix is packed once for all of them.
    """

    def __init__(self, matrix: Float[Tensor, "*batch inputs outputs"], num_steps: int) -> None:
        self._matrix = matrix
        self._weight: Tensor | None = None
        is_known = matrix.device.type == "cpu" and matrix.dtype == torch.float32 and matrix.dim() == 2
        if is_known and _has_onednn():
            self._weight = matrix.mT
            if matrix.numel() >= PACKED_SIZE and num_steps >= PACKED_STEPS:
                self._weight = torch.ops.mkldnn._reorder_linear_weight(matrix.mT)

    def added_to(
        self,
        base: Float[Tensor, "*batch rows outputs"],
        left: Float[Tensor, "*batch rows inputs"],
        mask: Float[Tensor, "*batch #rows #outputs"] | None = None,
    ) -> Float[Tensor, "*batch rows outputs"]:
        """``base + (left @ matrix) * mask``, in memory of its own."""
        if mask is not None:
            return torch.addcmul(base, self._product(left).to(base.dtype), mask)
        if self._weight is not None:
            total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(left, base, self._weight, None, "add")
            return total
        if base.dtype != self._matrix.dtype:
            return base + self._product(left)
        return torch.addmm(base, left, self._matrix) if base.dim() == 2 else torch.baddbmm(base, left, self._matrix)

    def _product(self, left: Tensor) -> Tensor:
        if self._weight is None:
            return left.to(self._matrix.dtype) @ self._matrix
        product: Tensor = torch.ops.mkldnn._linear_pointwise(left, self._weight, None, "none", [], "")
        return product


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


@torch.no_grad()
def draw_uniform(module: nn.Module, bound: float, generator: torch.Generator) -> None:
    """Draw every parameter from U(-bound, bound), biases and embeddings too (Zaremba et al. 2014, section 4.1).

    Drawn on the CPU and then copied, so that every device starts from the same weights.
    """
    for parameter in module.parameters():
        _draw(parameter, bound, generator)


@torch.no_grad()
def draw_by_width(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every matrix with variance 1 / inputs, so that signals keep their size; biases are zero.

    An embedding has one input, the word, unless it is a softmax's matrix too. Source: LeCun, Bottou, Orr & Müller
    1998, equation 16. Attention needs it: with small weights all places look alike, and hundreds of steps pass before
    it looks anywhere.
    """
    embeddings, factors = (
        {id(part.weight) for part in module.modules() if isinstance(part, kind)} for kind in (nn.Embedding, nn.Linear)
    )
    for parameter in module.parameters():
        if parameter.dim() < 2:
            parameter.zero_()
        else:
            num_inputs = 1 if id(parameter) in embeddings - factors else parameter.shape[1]
            _draw(parameter, math.sqrt(3 / num_inputs), generator)


@torch.no_grad()
def draw_xavier(module: nn.Module, bound: float, generator: torch.Generator) -> None:
    """Draw every matrix of a product from U(-b, b), b the root of 6 / (inputs + outputs), gate by gate in an LSTM.

    Embeddings, that of a tied softmax too, are drawn from U(-bound, bound); biases are zero. Source: Glorot & Bengio
    2010, equation 16.
    """
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    gates = {id(weight) for part in module.modules() if isinstance(part, nn.LSTM) for weight in part.parameters()}
    for parameter in module.parameters():
        if parameter.dim() < 2:
            parameter.zero_()
        elif id(parameter) in embeddings:
            _draw(parameter, bound, generator)
        else:
            outputs, inputs = parameter.shape
            _draw(parameter, math.sqrt(6 / (inputs + outputs // (4 if id(parameter) in gates else 1))), generator)


@torch.no_grad()
def set_forget_bias(module: nn.Module, value: float) -> None:
    """Let every LSTM begin with ``value`` for the bias of its forget gates (Gers et al. 2000; Jozefowicz et al. 2015).

    It has two biases, which are added: the one of the recurrent path becomes zero.
    """
    for part in module.modules():
        if isinstance(part, nn.LSTM):
            *_, input_bias, recurrent_bias = part.parameters()
            for bias, number in ((input_bias, value), (recurrent_bias, 0.0)):
                bias.chunk(4)[1].fill_(number)  # the gates stand in the order i, f, g, o


def _draw(parameter: Tensor, bound: float, generator: torch.Generator) -> None:
    values = torch.empty(parameter.shape, dtype=parameter.dtype)
    parameter.copy_(values.uniform_(-bound, bound, generator=generator))
