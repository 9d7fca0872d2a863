"""Which device to compute on."""

from __future__ import annotations

import warnings

import torch

from lstmdrop.errors import UsageError


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA GPU where there is one; any other name is torch's own.

    Raises:
        UsageError: this machine has no such device, or not one that computes what training does.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            device = torch.device(name)
            torch.ones(1, dtype=torch.float64, device=device).sum().item()  # losses are summed in this format
    except Exception as error:  # torch raises almost any kind, by the device
        here = " or ".join(["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))])
        reason = f" ({str(error).splitlines()[0]})" if str(name).startswith("cuda") else ""
        raise UsageError(f"--device {name}: this machine cannot compute on it{reason}: write --device {here}") from None
    return torch.device("cpu") if device.type == "cpu" else device
