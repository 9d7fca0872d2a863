"""Which kernel runs a fused LSTM: measured, as it differs by machine and by size; one operator where it is exported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from statistics import median
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["onednn", "native", "layers", "stack", "stacked"]
"""On a CPU one of the first two runs each layer; on a GPU each layer has its call, or the whole stack has one.

The last one runs no model by itself: several are trained side by side (`lstmdrop.nn.stacked`).
"""


def kernels_on(device: str) -> tuple[Kernel, ...]:
    """The kernels that can run on a type of device, in the number format of the present autocast; oneDNN's first."""
    if device == "cpu":
        return ("onednn", "native") if _onednn_can_run() else ("native",)
    return ("layers", "stack") if device == "cuda" else ("layers",)


@contextmanager
def running_on(kernel: Kernel) -> Iterator[None]:
    """Let CPU layers inside the block run on oneDNN where it can, or on the native kernel; a GPU is not concerned."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(kernel != "native" and _onednn_can_run())
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def _onednn_can_run() -> bool:
    is_cast = torch.is_autocast_enabled("cpu")
    return torch._C._get_mkldnn_enabled() and _onednn_takes(torch.get_autocast_dtype("cpu") if is_cast else None)


@cache
def _onednn_takes(dtype: torch.dtype | None) -> bool:
    """Whether oneDNN has an LSTM for what autocast makes of float32: for bfloat16 only where there is AVX-512."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    with torch.inference_mode(mode=False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        layer, inputs = torch.nn.LSTM(1, 1), torch.zeros(1, 1, 1)
        try:
            with torch.autocast("cpu", dtype, enabled=dtype is not None):
                layer(inputs)[0].sum().backward()
        except RuntimeError:
            return False
    return True


def fastest_kernel(runs: Mapping[Kernel, Callable[[], Tensor]], repeats: int = 3) -> Kernel:
    """The kernel whose run and its backward pass take the least time (median of ``repeats``)."""
    return min(runs, key=lambda kernel: _seconds(kernel, runs[kernel], repeats))


def _seconds(kernel: Kernel, run: Callable[[], Tensor], repeats: int) -> float:
    durations = []
    with running_on(kernel), torch.inference_mode(mode=False), torch.enable_grad():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            output = run()
            output.sum().backward()  # type: ignore[no-untyped-call]
            if output.device.type == "cuda":
                torch.cuda.synchronize(output.device)
            durations.append(time.perf_counter() - start)
    return median(durations[1:])


SCHEMA = (
    "(Tensor inputs, Tensor hidden, Tensor cell, Tensor input_weight, Tensor recurrent_weight, Tensor input_bias, "
    "Tensor recurrent_bias) -> (Tensor, Tensor, Tensor)"
)


@torch.library.custom_op("lstmdrop::lstm_layer", mutates_args=(), schema=SCHEMA)
def lstm_layer(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    input_bias: Tensor,
    recurrent_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs ``(time, batch, hidden)`` and the last hidden and cell state ``(batch, hidden)``.

    The weights are laid out as in `torch.nn.LSTM`. PyTorch's own call fixes the number of steps where it is exported.
    """
    weights = [input_weight, recurrent_weight, input_bias, recurrent_bias]
    outputs, *final = torch._VF.lstm(inputs, (hidden[None], cell[None]), weights, True, 1, 0.0, False, False, False)
    last_hidden, last_cell = (part[0].clone() for part in final)
    return outputs.clone(), last_hidden, last_cell


@lstm_layer.register_fake
def _(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    input_bias: Tensor,
    recurrent_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    return inputs.new_empty(*inputs.shape[:2], hidden.shape[1]), torch.empty_like(hidden), torch.empty_like(cell)


OPERATOR = torch.ops.lstmdrop.lstm_layer.default
"""As it stands in an exported graph."""
