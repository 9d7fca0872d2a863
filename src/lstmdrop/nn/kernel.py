"""Which kernel runs a fused LSTM fastest: measured, because it differs by machine and by size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from statistics import median
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["onednn", "native", "layers", "stack"]
"""On a CPU one of the first two runs each layer; on a GPU each layer has its call, or the whole stack has one."""


@contextmanager
def running_on(kernel: Kernel) -> Iterator[None]:
    """Let CPU layers inside the block run on oneDNN, or on the native kernel; a GPU is not concerned."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(before and kernel != "native")
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@cache
def can_run(kernel: Kernel, dtype: torch.dtype) -> bool:
    """Whether this machine's CPU can train an LSTM on a kernel under autocast to ``dtype``; oneDNN's is tried.

    oneDNN has no bfloat16 LSTM for processors without AVX-512; the native kernel computes everywhere. Without autocast
    PyTorch itself looks for one that can.
    """
    if kernel == "native":
        return True
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return kernel != "onednn"
    if dtype not in (torch.bfloat16, torch.float16):
        return True
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]), running_on(kernel):
        layer = torch.nn.LSTM(8, 8)
        try:
            with torch.autocast("cpu", dtype):
                outputs, _ = layer(torch.ones(2, 2, 8))
            outputs.sum().backward()
        except RuntimeError:
            return False
    return True


def autocast_format() -> torch.dtype:
    """The number format to which autocast rounds on a CPU now; float32 where it is off."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def fastest_kernel(runs: Mapping[Kernel, Callable[[], Tensor]], repeats: int = 3) -> Kernel:
    """The kernel whose run and its backward pass take the least time (median of ``repeats``)."""
    return min(runs, key=lambda kernel: _seconds(kernel, runs[kernel], repeats))


def _seconds(kernel: Kernel, run: Callable[[], Tensor], repeats: int) -> float:
    durations = []
    with torch.inference_mode(False), torch.enable_grad(), running_on(kernel):
        for _ in range(repeats + 1):
            start = time.perf_counter()
            output = run()
            output.sum().backward()  # type: ignore[no-untyped-call]
            if output.device.type == "cuda":
                torch.cuda.synchronize(output.device)
            durations.append(time.perf_counter() - start)
    return median(durations[1:])
