"""Timing training steps against each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

from lstmdrop.nn.linear import linear

WARM_UP_STEPS = 2
BLOCK_SECONDS = 1.0
"""Rivals take turns after so long, so that a machine that slows down slows all of them."""

Step = Callable[[], object]


def median_seconds(rivals: Sequence[Step], seconds: float, device: torch.device) -> list[float]:
    """Median duration in seconds of each rival's step, after a warm-up, within about ``seconds`` for each."""
    durations: list[list[float]] = [[] for _ in rivals]
    for step in rivals:
        for _ in range(WARM_UP_STEPS):
            _duration(step, device)
    while min(sum(taken) for taken in durations) < seconds:
        for step, taken in zip(rivals, durations, strict=True):
            end = time.perf_counter() + BLOCK_SECONDS
            taken.append(_duration(step, device))
            while time.perf_counter() < end:
                taken.append(_duration(step, device))
    return [median(taken) for taken in durations]


def matrix_product_rate(device: torch.device, size: int = 2048, repeats: int = 20) -> float:
    """Floating-point operations a second in a large float32 matrix product at its best: what the machine could do."""
    left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    seconds = min(_duration(lambda: linear(left, right), device) for _ in range(repeats))
    return 2 * size**3 / seconds


def _duration(step: Step, device: torch.device) -> float:
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
