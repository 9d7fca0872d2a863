"""Checkpoints: tensors and plain JSON in one safetensors file, written so that a crash cannot damage it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError
from lstmdrop.parsing import parse_json, to_json
from lstmdrop.presets import flatten

MOST_BYTES_OF_HEADER = 1 << 24
"""Names and shapes of the tensors, and the values: a hundred thousand tensors fit in, and no one network has them."""


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the CPU's generator and, if the device is another, of its own."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def load_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Draw on as if nothing had happened since `random_state`."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Named tensors, and JSON-ready values."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under ``prefix.``, without it."""
        start = f"{prefix}."
        return {name[len(start) :]: value for name, value in self.tensors.items() if name.startswith(start)}


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file so that ``path`` is the old one or the new one, whole, whenever a crash comes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
    tensors = _apart(tensors)
    values = to_json(dict(checkpoint.values))
    metadata = {"values": values, "sha256": _digest(values, tensors)}
    with atomic_file(path) as file:
        file.write(save(tensors, metadata=metadata))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU and check it against its digest.

    Raises:
        DataError: the file is missing, cut short or altered.
    """
    try:
        _require_few_names(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Cloned into memory that is aligned like any other tensor's: matrix products round by alignment.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise DataError(f"checkpoint {path} does not exist") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"checkpoint {path} is damaged: {error}") from None
    values = metadata.get("values", "")
    if metadata.get("sha256") != _digest(values, tensors):
        raise DataError(f"checkpoint {path} is damaged: its content does not match its checksum")
    return Checkpoint(tensors, _values(path, values))


def read_values(path: Path) -> dict[str, Any]:
    """The values alone, without a look at the tensors.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        _require_few_names(path)
        with safe_open(path, framework="pt") as file:
            return _values(path, (file.metadata() or {}).get("values", ""))
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"checkpoint {path} is missing or damaged: {error}") from None


def _require_few_names(path: Path) -> None:
    """Before anything is made of the header: it says how long it is in its first eight bytes."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_BYTES_OF_HEADER:
        raise ValueError(f"its header has {length:,} bytes, more than any of ours")


def _values(path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(parse_json(text))
    except (ValueError, TypeError) as error:
        raise DataError(f"checkpoint {path} is damaged: {error}") from None


def require_settings(path: Path, checkpoint: Checkpoint, config_file: Path, config: Mapping[str, Any]) -> None:
    """Make sure that a checkpoint was trained with a configuration, as far as it says with which it was.

    Raises:
        DataError: it was trained with another.
    """
    now = flatten(config)
    for key, value in checkpoint.values.get("settings", {}).items():
        if now.get(key, value) != value:
            raise DataError(
                f"{path} was trained with {key}={value}, and {config_file} has {now[key]}: one of the two is of "
                "another run, or was changed; put its own back"
            )


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Identity of weights by name, shape and content, whatever file they are in."""
    return _digest("", {name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With a copy for the second name of a tensor, such as tied weights: the format lets no two share memory."""
    apart: dict[str, Tensor] = {}
    for name, value in tensors.items():
        is_shared = any(value.data_ptr() == other.data_ptr() for other in apart.values())
        apart[name] = value.clone() if is_shared else value
    return apart


def _digest(values: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(values.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
