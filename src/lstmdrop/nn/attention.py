"""Attention: which places of a memory a query looks at."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lstmdrop.nn.shared_factor import SharedFactor


class Memory(NamedTuple):
    """What is looked at, one row a sentence or image."""

    values: Float[Tensor, "batch positions features"]
    keys: Float[Tensor, "batch positions query"]
    is_real: Bool[Tensor, "batch positions"]
    """False where a row was padded."""

    def select(self, rows: Int[Tensor, " chosen"]) -> Memory:
        """These rows, in this order."""
        return Memory(*(part[rows] for part in self))


class MemoryReader:
    """Looks at one memory, time and again."""

    def __init__(self, memory: Memory) -> None:
        self._keys, self._values = SharedFactor(memory.keys.mT), SharedFactor(memory.values)
        self._is_padding = ~memory.is_real[:, None]

    def __call__(
        self, query: Float[Tensor, "batch query"]
    ) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch positions"]]:
        """The mean of the memory that the query sees, and the weights of that mean; both for each row."""
        weights = self._keys(query[:, None]).masked_fill(self._is_padding, -torch.inf).softmax(-1)
        return self._values(weights)[:, 0], weights[:, 0]


class LuongAttention(nn.Module):
    """Global attention with the "general" score (Luong, Pham & Manning 2015, equations 7 and 8)."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_size, query_size, bias=False)

    def memory(
        self, values: Float[Tensor, "batch positions features"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Memory:
        """What a `MemoryReader` looks at; the products that do not depend on the query are made here, once."""
        batch_size, num_positions, _ = values.shape
        positions = torch.arange(num_positions, device=values.device)
        ends = torch.full((batch_size,), num_positions) if lengths is None else lengths
        return Memory(values, self.key(values), positions < ends.to(values.device)[:, None])
