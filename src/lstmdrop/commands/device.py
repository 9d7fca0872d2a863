"""Which device to compute on."""

from __future__ import annotations

import torch

from lstmdrop.errors import UsageError


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA GPU where there is one; any other name is torch's own.

    Raises:
        UsageError: the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: not to be had on this machine ({reason})") from None
    return device
