"""The products of the softmax equal those of the definition, whichever library computes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.linear import linear


def tensors(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


@pytest.mark.parametrize("num_items", [0, 1, 37])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value(num_items: int, dtype: torch.dtype) -> None:
    inputs, weight, bias = tensors((num_items, 5), (11, 5), (11,), dtype=dtype)
    expected = torch.einsum("nf,of->no", inputs.double(), weight.double())
    close = {"atol": 1e-5, "rtol": 1e-5, "check_dtype": False}
    torch.testing.assert_close(linear(inputs, weight), expected, **close)  # type: ignore[arg-type]
    torch.testing.assert_close(linear(inputs, weight, bias), expected + bias, **close)  # type: ignore[arg-type]


def test_operands_may_be_transposed_or_strided() -> None:
    """As the gradients of a softmax are computed, without a copy."""
    inputs, weight = tensors((5, 37), (5, 22))
    expected = torch.einsum("fn,fo->no", inputs.double(), weight[:, ::2].double())
    torch.testing.assert_close(linear(inputs.t(), weight[:, ::2].t()).double(), expected, atol=1e-5, rtol=1e-5)


def test_without_onednn_the_value_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, weight, bias = tensors((37, 5), (11, 5), (11,))
    with_it = linear(inputs, weight, bias)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(linear(inputs, weight, bias), with_it, atol=1e-5, rtol=1e-5)
