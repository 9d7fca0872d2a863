"""Number formats and the machine's floating-point switches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from lstmdrop.config import TrainingConfig


def set_switches(config: TrainingConfig) -> None:
    """TF32 on or off for float32 products, and denormals flushed: they slow a saturated LSTM several-fold."""
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = config.precision == "tf32"


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """Inside, products run in bfloat16 where that was asked for; the weights stay float32."""
    if config.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
