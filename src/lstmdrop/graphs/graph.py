"""A network to be exported: what goes in, what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

Axis = str | int


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output."""

    name: str
    axes: Sequence[Axis]
    """The size of each axis, or the name of one that may have any; what has the same name has the same size."""
    num_tokens: int | None = None
    """Of an input of tokens, how many there are; other ports hold single-precision numbers."""

    def after(self) -> Port:
        """The same, as it is after a step: a graph's inputs and outputs cannot share a name."""
        return replace(self, name=f"next_{self.name}")

    @property
    def dtype(self) -> str:
        """``int64`` or ``float32``."""
        return "float32" if self.num_tokens is None else "int64"

    def draw(self, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """A random value, its named axes of these sizes."""
        shape = [axis if isinstance(axis, int) else sizes[axis] for axis in self.axes]
        if self.num_tokens is None:
            return torch.randn(shape, generator=generator)
        return torch.randint(self.num_tokens, shape, generator=generator)

    def described(self) -> dict[str, Any]:
        """Name, axes and number format, ready for JSON."""
        return {"name": self.name, "axes": list(self.axes), "dtype": self.dtype}


@dataclass(frozen=True, slots=True)
class Graph:
    """A module in evaluation, its ports in the order of its arguments and of the tuple that it returns."""

    module: nn.Module
    inputs: Sequence[Port]
    outputs: Sequence[Port]

    @property
    def free_axes(self) -> list[str]:
        """The axes of the inputs that may have any size, each once."""
        named = [axis for port in self.inputs for axis in port.axes if isinstance(axis, str)]
        return list(dict.fromkeys(named))

    def described(self) -> dict[str, Any]:
        """The ports, ready for JSON."""
        sides = {"inputs": self.inputs, "outputs": self.outputs}
        return {side: [port.described() for port in ports] for side, ports in sides.items()}

    def draw(self, sizes: Mapping[str, int], seed: int) -> tuple[Tensor, ...]:
        """Random inputs; the same seed gives the same."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(port.draw(sizes, generator) for port in self.inputs)
