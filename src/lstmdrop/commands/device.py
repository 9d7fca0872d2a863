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
