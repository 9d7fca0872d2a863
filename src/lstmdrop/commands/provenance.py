"""Where a result comes from: versions, commit, device."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import lstmdrop


def provenance(device: torch.device) -> dict[str, Any]:
    """The fields of ``result.json`` that say what made it."""
    return {
        "version": version("lstmdrop"),
        "git": git_commit(),
        "torch": torch.__version__,
        "device": device_name(device),
    }


def git_commit() -> str | None:
    """The toolkit's commit, ``-dirty`` with local changes; None outside a checkout of its own."""
    root = Path(lstmdrop.__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return found.decode("ascii", errors="replace").strip() or None


def device_name(device: torch.device) -> str:
    """The name of the GPU, or ``cpu`` with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)"
