"""Number formats and the machine's floating-point switches."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext

import torch

from lstmdrop.config import TrainingConfig


def set_switches(config: TrainingConfig) -> None:
    """TF32 on or off for float32 products, and denormals flushed: they slow a saturated LSTM several-fold."""
    torch.set_flush_denormal(True)
    _set_tf32(in_products=config.precision == "tf32", in_cudnn=config.precision == "tf32")


def reset_switches() -> None:
    """As PyTorch starts with them: TF32 in cuDNN alone, denormals kept."""
    torch.set_flush_denormal(False)
    _set_tf32(in_products=False, in_cudnn=True)


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """Inside, products run in bfloat16 where that was asked for; the weights stay float32."""
    if config.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def lstm_format(config: TrainingConfig) -> torch.dtype:
    """The number format in which an LSTM is trained."""
    return torch.bfloat16 if config.precision == "bf16" else torch.float32


def _set_tf32(*, in_products: bool, in_cudnn: bool) -> None:
    with warnings.catch_warnings():  # some releases of PyTorch announce a newer way, which older ones do not have
        warnings.filterwarnings("ignore", message="Please use the new API settings")
        torch.set_float32_matmul_precision("high" if in_products else "highest")
        torch.backends.cudnn.allow_tf32 = in_cudnn
