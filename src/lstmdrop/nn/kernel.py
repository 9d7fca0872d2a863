"""Which kernel runs a fused LSTM fastest: measured, because it differs by machine and by size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


def fastest_kernel(runs: Mapping[Kernel, Callable[[], Tensor]], repeats: int = 3) -> Kernel:
    """The kernel whose run and its backward pass take the least time (median of ``repeats``)."""
    return min(runs, key=lambda kernel: _seconds(kernel, runs[kernel], repeats))


def _seconds(kernel: Kernel, run: Callable[[], Tensor], repeats: int) -> float:
    durations = []
    with running_on(kernel), torch.enable_grad():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            output = run()
            output.sum().backward()  # type: ignore[no-untyped-call]
            if output.device.type == "cuda":
                torch.cuda.synchronize(output.device)
            durations.append(time.perf_counter() - start)
    return median(durations[1:])
