"""Where a model computes, and in which format of numbers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from lstmdrop.config import TrainingConfig
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.nn.kernel import Kernel, kernels_on

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
"""Numbers below are denormal."""


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA GPU where there is one; any other name is torch's own.

    Raises:
        UsageError: the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, number = str(name).partition(":")
    known = _devices()
    if kind not in known or (colon and not (number.isdecimal() and int(number) < known[kind])):
        here = [kind if count == 1 else f"{kind}:{index}" for kind, count in known.items() for index in range(count)]
        raise UsageError(f"--device {name}: this machine has {', '.join(here)}")
    return torch.device(name)


def _devices() -> dict[str, int]:
    """How many there are of each kind; no other is tried: losses are summed in float64, say, which mps has not."""
    counts = {"cpu": 1, "cuda": torch.cuda.device_count()}
    return {kind: count for kind, count in counts.items() if count}


def set_switches(config: TrainingConfig) -> None:
    """TF32 on or off for float32 products, and denormals flushed: they slow a saturated LSTM several-fold."""
    torch.set_flush_denormal(True)
    _set_tf32(in_products=config.precision == "tf32", in_cudnn=config.precision == "tf32")
    _set_deterministic(config.deterministic)


def reset_switches() -> None:
    """As PyTorch starts with them: TF32 in cuDNN alone, denormals kept."""
    torch.set_flush_denormal(False)
    _set_tf32(in_products=False, in_cudnn=True)
    _set_deterministic(False)


@contextmanager
def switches_kept() -> Iterator[None]:
    """What `set_switches` changes, for the whole process, is as it was before when the block ends."""
    flushes = not torch.full((), SMALLEST_NORMAL / 2).mul(1).is_nonzero()  # PyTorch does not tell otherwise
    precision, in_cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.set_flush_denormal(flushes)
        _set_tf32(in_products=precision != "highest", in_cudnn=in_cudnn)
        _set_deterministic(is_deterministic)


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """Inside, products run in bfloat16 where that was asked for; the weights stay float32."""
    if config.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def wait_for(device: torch.device) -> None:
    """Until it has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def usable_kernels(config: TrainingConfig, device: torch.device) -> tuple[Kernel, ...]:
    """The fused LSTM kernels that can train on this device in the precision that was asked for."""
    with autocast(config, device):
        return kernels_on(device.type)


def require_kernel(config: TrainingConfig, device: torch.device) -> None:
    """Make sure that a kernel which is asked for by its name can run here.

    Raises:
        ConfigError: it cannot.
    """
    usable = usable_kernels(config, device)
    if config.kernel not in ("auto", "measured", *usable):
        raise ConfigError(
            f"training.kernel = {config.kernel!r} cannot run on this machine's {device.type} with training.precision = "
            f"{config.precision!r}: --set training.kernel={' or '.join(('auto', *usable))}"
        )


def _set_deterministic(is_asked: bool) -> None:
    if is_asked:  # cuBLAS reads this when it is first used, and is not deterministic without it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # all is written
    if is_asked or torch.are_deterministic_algorithms_enabled():  # the call imports the compiler: over a second
        torch.use_deterministic_algorithms(is_asked)
    torch.backends.cudnn.deterministic = is_asked


def _set_tf32(*, in_products: bool, in_cudnn: bool) -> None:
    with warnings.catch_warnings():  # some releases of PyTorch announce a newer way, which older ones do not have
        warnings.filterwarnings("ignore", message="Please use the new API settings")
        torch.set_float32_matmul_precision("high" if in_products else "highest")
        torch.backends.cudnn.allow_tf32 = in_cudnn
