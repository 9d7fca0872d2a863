"""Attention: which places of a memory a query looks at."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lstmdrop.nn.linear import SharedFactor
from lstmdrop.nn.shapes import require_alike, require_lengths, require_shape, require_sizes


class Memory(NamedTuple):
    """What is looked at, one row a sentence or image."""

    values: Float[Tensor, "batch positions features"]
    keys: Float[Tensor, "batch positions query"]
    is_real: Bool[Tensor, "batch positions"]
    """False where a row was padded."""
    num_readers: int = 1
    """So many rows of queries in a row look at the same memory, such as a sentence's hypotheses in a search."""

    def select(self, rows: Int[Tensor, " chosen"]) -> Memory:
        """The memory that these readers look at, in this order; it is not copied for each of them."""
        kept, counts = torch.unique_consecutive(rows // self.num_readers, return_counts=True)
        num_readers = int(counts[0]) if len(counts) else 1
        if not bool((counts == num_readers).all()):
            kept, num_readers = rows // self.num_readers, 1
        if len(kept) == len(self.values) and bool((kept[1:] > kept[:-1]).all()):
            return self._replace(num_readers=num_readers)
        return Memory(self.values[kept], self.keys[kept], self.is_real[kept], num_readers)


class MemoryReader:
    """Looks at one memory, time and again.

    Raises:
        ValueError: its parts do not fit each other, or a query does not fit them.
    """

    def __init__(self, memory: Memory) -> None:
        batch_size, num_positions, size = memory.keys.shape
        require_shape("the memory's values", memory.values, (batch_size, num_positions, "features"))
        require_shape("the memory's is_real", memory.is_real, (batch_size, num_positions))
        self._query_shape = (batch_size * memory.num_readers, size)
        self._keys, self._values = SharedFactor(memory.keys.mT), SharedFactor(memory.values)
        self._is_padding = ~memory.is_real[:, None]
        self._num_readers = memory.num_readers

    def __call__(
        self, query: Float[Tensor, "rows query"]
    ) -> tuple[Float[Tensor, "rows features"], Float[Tensor, "rows positions"]]:
        """The mean of the memory that the query sees, and the weights of that mean; both for each row."""
        require_shape("query", query, self._query_shape)
        scores = self._keys(query.view(-1, self._num_readers, query.shape[1]))
        weights = scores.masked_fill(self._is_padding, -torch.inf).softmax(-1)
        return self._values(weights).flatten(0, 1), weights.flatten(0, 1)


class LuongAttention(nn.Module):
    """Global attention with the "general" score (Luong, Pham & Manning 2015, equations 7 and 8).

    Scores are divided by the root of the query's size (Vaswani et al. 2017, equation 1), so that at first all places
    are looked at alike and not one of them by chance.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        require_sizes(query_size=query_size, memory_size=memory_size)
        self.key = nn.Linear(memory_size, query_size, bias=False)
        self.scale = query_size**-0.5

    def memory(
        self, values: Float[Tensor, "batch positions features"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Memory:
        """What a `MemoryReader` looks at; the products that do not depend on the query are made here, once.

        Raises:
            ValueError: the values are not those of a memory of this size, or the lengths not theirs.
        """
        require_shape("values", values, ("batch", "positions", self.key.in_features))
        require_alike("values", values, self.key.weight)
        batch_size, num_positions, _ = values.shape
        positions = torch.arange(num_positions, device=values.device)
        ends = torch.full((batch_size,), num_positions) if lengths is None else lengths
        require_lengths(ends, num_positions, batch_size)
        return Memory(values, self.scale * self.key(values), positions < ends.to(values.device)[:, None])
