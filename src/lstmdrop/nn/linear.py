"""Matrix products outside the reach of autograd, on whichever library computes them fastest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
    if is_known and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
        return product
    return F.linear(inputs, weight, bias)


def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")
