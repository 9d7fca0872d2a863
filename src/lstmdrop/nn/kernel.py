"""Which CPU kernel runs an LSTM layer fastest: measured, because it differs by machine and by size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Literal, get_args

import torch
from torch import Tensor

Kernel = Literal["onednn", "native"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


@contextmanager
def running_on(kernel: Kernel) -> Iterator[None]:
    """Let LSTM layers inside the block run on oneDNN, or on the native kernel; cuDNN is not concerned."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(before and kernel == "onednn")
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def fastest_kernel(run: Callable[[], Tensor], repeats: int = 3) -> Kernel:
    """The kernel under which ``run`` and its backward pass take the least time (median of ``repeats``)."""
    return min(KERNELS, key=lambda kernel: _seconds(kernel, run, repeats))


def _seconds(kernel: Kernel, run: Callable[[], Tensor], repeats: int) -> float:
    durations = []
    with running_on(kernel), torch.enable_grad():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            run().sum().backward()  # type: ignore[no-untyped-call]
            durations.append(time.perf_counter() - start)
    return median(durations[1:])
