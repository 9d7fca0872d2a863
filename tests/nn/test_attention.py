"""Laws of attention: what is looked at, by whom, and that nothing else has a say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lstmdrop.nn.attention import LuongAttention, Memory, MemoryReader

BATCH, POSITIONS, FEATURES, SIZE = 3, 5, 6, 4
LENGTHS = torch.tensor([5, 2, 3])


@pytest.fixture
def attention() -> LuongAttention:
    torch.manual_seed(1)
    return LuongAttention(SIZE, FEATURES).double()


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def plainly(attention: LuongAttention, values: Tensor, length: int, query: Tensor) -> tuple[Tensor, Tensor]:
    """Of one query: equations 7 and 8, place by place, the scores over the root of the query's size."""
    keys = [attention.key.weight @ value for value in values[:length]]
    exponentials = [torch.exp(sum(query * key) / SIZE**0.5) for key in keys]
    weights = torch.stack([each / sum(exponentials) for each in exponentials])
    context = sum(weight * value for weight, value in zip(weights, values[:length], strict=True))
    return context, torch.cat([weights, weights.new_zeros(len(values) - length)])


@pytest.mark.parametrize("num_readers", [1, 3])
def test_each_query_sees_the_mean_of_its_own_memory(attention: LuongAttention, num_readers: int) -> None:
    values, queries = random(BATCH, POSITIONS, FEATURES), random(BATCH * num_readers, SIZE, seed=3)
    memory = attention.memory(values, LENGTHS)._replace(num_readers=num_readers)
    contexts, weights = MemoryReader(memory)(queries)
    for row, query in enumerate(queries):
        owner = row // num_readers
        context, weight = plainly(attention, values[owner], int(LENGTHS[owner]), query)
        torch.testing.assert_close(contexts[row], context)
        torch.testing.assert_close(weights[row], weight)


def test_what_a_row_is_padded_with_changes_neither_value_nor_gradient(attention: LuongAttention) -> None:
    values = random(BATCH, POSITIONS, FEATURES)
    padded = values.masked_fill((torch.arange(POSITIONS) >= LENGTHS[:, None])[..., None], 1e3)
    found = []
    for each in (values, padded):
        attention.zero_grad()
        context, weights = MemoryReader(attention.memory(each, LENGTHS))(random(BATCH, SIZE, seed=3))
        context.square().sum().backward()
        assert attention.key.weight.grad is not None
        found.append((context.detach(), weights.detach(), attention.key.weight.grad.clone()))
    torch.testing.assert_close(*found)


def test_without_lengths_every_place_is_real(attention: LuongAttention) -> None:
    values = random(BATCH, POSITIONS, FEATURES)
    whole, full = attention.memory(values), attention.memory(values, torch.full((BATCH,), POSITIONS))
    for one, other in zip(whole[:3], full[:3], strict=True):
        assert torch.equal(one, other)
    assert bool(whole.is_real.all())
    assert whole.num_readers == 1


def test_the_order_of_places_plays_no_part(attention: LuongAttention) -> None:
    values, queries, order = random(BATCH, POSITIONS, FEATURES), random(BATCH, SIZE, seed=3), [3, 0, 4, 1, 2]
    context, weights = MemoryReader(attention.memory(values))(queries)
    again, shuffled = MemoryReader(attention.memory(values[:, order]))(queries)
    torch.testing.assert_close(again, context)
    torch.testing.assert_close(shuffled, weights[:, order])


def test_a_reader_remembers_nothing_from_query_to_query(attention: LuongAttention) -> None:
    read = MemoryReader(attention.memory(random(BATCH, POSITIONS, FEATURES), LENGTHS))
    query = random(BATCH, SIZE, seed=3)
    first, _ = read(query)
    read(10 * random(BATCH, SIZE, seed=4))
    assert torch.equal(read(query)[0], first)


def test_gradients_of_two_looks_are_those_of_autograd_alone(attention: LuongAttention) -> None:
    values, queries = random(BATCH, POSITIONS, FEATURES).requires_grad_(), random(2, BATCH, SIZE, seed=3)
    read = MemoryReader(attention.memory(values, LENGTHS))
    seen = torch.stack([read(query)[0] for query in queries])
    found = torch.autograd.grad(seen.pow(3).sum(), [values, attention.key.weight])
    plain = torch.stack(
        [
            torch.stack([plainly(attention, *row)[0] for row in zip(values, LENGTHS.tolist(), query, strict=True)])
            for query in queries
        ]
    )
    expected = torch.autograd.grad(plain.pow(3).sum(), [values, attention.key.weight])
    torch.testing.assert_close(found, expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.integers(1, 2))
def test_chosen_rows_look_at_the_memory_of_the_rows_that_they_were(rows: list[int], num_readers: int) -> None:
    """However they are grouped: the memory of reader r is that of number ``r // num_readers``, copied or not."""
    owners = torch.arange(6 // num_readers)
    memory = Memory(
        owners.float().view(-1, 1, 1).expand(-1, 2, 3), owners.float().view(-1, 1, 1).expand(-1, 2, 4),
        owners.view(-1, 1) % 2 == torch.zeros(1, 2, dtype=torch.long), num_readers,
    )  # fmt: skip
    chosen = memory.select(torch.tensor(rows))
    assert len(chosen.values) == len(chosen.keys) == len(chosen.is_real)
    assert len(chosen.values) * chosen.num_readers == len(rows)
    for number, row in enumerate(rows):
        place = number // chosen.num_readers
        owner = row // num_readers
        assert float(chosen.values[place, 0, 0]) == float(chosen.keys[place, 0, 0]) == owner
        assert bool(chosen.is_real[place, 0]) == (owner % 2 == 0)


def test_no_rows_look_at_no_memory() -> None:
    memory = LuongAttention(4, 6).memory(torch.randn(3, 5, 6))
    chosen = memory.select(torch.zeros(0, dtype=torch.long))
    assert chosen.values.shape == (0, 5, 6)
    assert chosen.select(torch.zeros(0, dtype=torch.long)).is_real.shape == (0, 5)


@pytest.mark.parametrize(("query_size", "memory_size"), [(0, 3), (3, 0), (-1, 3)])
def test_attention_of_no_size_is_refused(query_size: int, memory_size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LuongAttention(query_size, memory_size)
