"""What a machine can do at most, and what a process has taken of it."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from lstmdrop.config import TrainingConfig
from lstmdrop.nn.linear import linear
from lstmdrop.training.device import autocast, wait_for

COPIED_BYTES = 1 << 28
"""Of a copy that measures memory: more than caches hold."""
PRODUCT_SIZE = 2048
REPEATS = 3
LIMIT_SECONDS = 0.5
"""For each of the two limits, but as many times at least as `REPEATS` says."""


class Limits(NamedTuple):
    """Measured beside the work that is held against them."""

    flops: float
    """Floating-point operations a second of a large matrix product, in the format that the work uses."""
    bandwidth: float
    """Bytes a second that a large copy reads and writes."""


def measured_limits(config: TrainingConfig, device: torch.device) -> Limits:
    """Both, in about a second."""
    return Limits(matrix_product_rate(device, config=config), memory_bandwidth(device))


def matrix_product_rate(device: torch.device, size: int | None = None, config: TrainingConfig | None = None) -> float:
    """Floating-point operations a second in a large matrix product at its best: what the machine could do.

    In float32, or in the precision of ``config``; TF32 is used where it has been switched on.
    """
    size = size or PRODUCT_SIZE
    left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    if config is not None and config.precision == "bf16":
        left, right = left.bfloat16(), right.bfloat16()
    with autocast(config or TrainingConfig(), device):
        seconds = _shortest(lambda: linear(left, right), device)
    return 2 * size**3 / seconds


def memory_bandwidth(device: torch.device, num_bytes: int | None = None) -> float:
    """Bytes a second of a large copy at its best, those that are read and those that are written."""
    num_bytes = num_bytes or COPIED_BYTES
    source = torch.ones(num_bytes // 4, device=device)
    target = torch.empty_like(source)
    return 2 * num_bytes / _shortest(lambda: target.copy_(source), device)


def _shortest(work: Callable[[], object], device: torch.device) -> float:
    taken: list[float] = []
    while len(taken) < REPEATS or sum(taken) < LIMIT_SECONDS:
        wait_for(device)
        start = time.perf_counter()
        work()
        wait_for(device)
        taken.append(time.perf_counter() - start)
    return min(taken)


def forget_peak(device: torch.device) -> None:
    """Count `peak_bytes` from here on, where the system lets a process say so."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # no Linux, or one that does not let it: then the peak is that of the process
        return


def peak_bytes(device: torch.device) -> int:
    """The most memory so far: a GPU's that PyTorch has given out, else what is resident of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = _status()
    if "VmHWM" in status:
        return status["VmHWM"]
    import resource  # not on Windows

    # Not on Linux: there a process begins with the peak of the one that started it.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_bytes(device: torch.device) -> int:
    """What is there now, in the same measure."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _status().get("VmRSS", 0) or peak_bytes(device)


def _status() -> dict[str, int]:
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines() if line.endswith("kB"))
    return {name.rstrip(":"): 1024 * int(kilobytes) for name, kilobytes, _ in rows}


SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "fma", "asimd", "sve", "bf16")
"""Instructions that change how fast matrices are multiplied, as Linux calls them."""


def machine() -> dict[str, object]:
    """Where something was measured: processor, what it can, cores, memory, threads, PyTorch, and what else runs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _cpu("model name", platform.processor() or platform.machine()),
        "instructions": sorted(set(_cpu("flags", _cpu("Features", "")).split()) & set(SETS)),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": cores,
        "memory_bytes": _total_memory(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _cpu(name: str, otherwise: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return otherwise
    rows = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in rows if key.strip() == name), otherwise)
