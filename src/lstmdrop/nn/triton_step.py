"""The steps of a scan on a GPU: all that belongs to a step but its product, in one kernel forward and one backward.

Triton comes with PyTorch for CUDA on Linux. Where it is missing, `lstmdrop.nn.scan` takes operations of PyTorch's own,
a dozen for one of these. With ``TRITON_INTERPRET=1`` the kernels run on a CPU, slowly, for tests.

Tensors of a step are ``(batch, units)``, or ``(networks, batch, units)`` of several networks; units lie side by side.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from lstmdrop.nn.recurrence import Noise

BLOCK = 256
"""Units of one row that one program computes."""


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):
    small = tl.exp(-2.0 * tl.abs(x))  # of the side on which it cannot overflow
    size = (1.0 - small) / (1.0 + small)
    return tl.where(x < 0, -size, size)


@triton.jit
def _forward(
    sums, hidden, memory, candidate, zone_hidden, zone_cell, gates, new_hidden, new_memory, bent,
    size, num_rows, sums_n, sums_r, gates_n, gates_r, old_n, old_r, new_n, new_r,
    candidate_n, candidate_r, candidate_u, hidden_n, hidden_r, hidden_u, cell_n, cell_r, cell_u,
    has_candidate: tl.constexpr, has_hidden: tl.constexpr, has_cell: tl.constexpr,
    dtype: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    n, r = (tl.program_id(0) // num_rows).to(tl.int64), tl.program_id(0) % num_rows
    u = tl.program_id(1) * block + tl.arange(0, block)
    inside = u < size
    total, gate = sums + n * sums_n + r * sums_r + u, gates + n * gates_n + r * gates_r + u
    old, new = n * old_n + r * old_r + u, n * new_n + r * new_r + u
    i = _sigmoid(tl.load(total, mask=inside).to(dtype))
    f = _sigmoid(tl.load(total + size, mask=inside).to(dtype))
    g = _tanh(tl.load(total + 2 * size, mask=inside).to(dtype))
    o = _sigmoid(tl.load(total + 3 * size, mask=inside).to(dtype))
    tl.store(gate, i, mask=inside)
    tl.store(gate + size, f, mask=inside)
    tl.store(gate + 2 * size, g, mask=inside)
    tl.store(gate + 3 * size, o, mask=inside)
    if has_candidate:
        g *= tl.load(candidate + n * candidate_n + r * candidate_r + u * candidate_u, mask=inside).to(dtype)
    c = tl.load(memory + old, mask=inside).to(dtype)
    made = f * c + i * g
    tanh = _tanh(made)
    tl.store(bent + new, tanh, mask=inside)
    said = o * tanh
    if has_hidden:
        zone = tl.load(zone_hidden + n * hidden_n + r * hidden_r + u * hidden_u, mask=inside).to(dtype)
        said = zone * tl.load(hidden + old, mask=inside).to(dtype) + (1.0 - zone) * said
    if has_cell:
        zone = tl.load(zone_cell + n * cell_n + r * cell_r + u * cell_u, mask=inside).to(dtype)
        made = zone * c + (1.0 - zone) * made
    tl.store(new_hidden + new, said, mask=inside)
    tl.store(new_memory + new, made, mask=inside)


@triton.jit
def _backward(
    gates, memory, bent, candidate, zone_hidden, zone_cell, grad_hidden, grad_memory, arriving, slopes,
    size, num_rows, gates_n, gates_r, old_n, old_r, new_n, new_r, add_n, add_r,
    candidate_n, candidate_r, candidate_u, hidden_n, hidden_r, hidden_u, cell_n, cell_r, cell_u,
    has_candidate: tl.constexpr, has_hidden: tl.constexpr, has_cell: tl.constexpr,
    dtype: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    n, r = (tl.program_id(0) // num_rows).to(tl.int64), tl.program_id(0) % num_rows
    u = tl.program_id(1) * block + tl.arange(0, block)
    inside = u < size
    gate = n * gates_n + r * gates_r + u
    new, own = n * new_n + r * new_r + u, (n * num_rows + r) * size + u
    i = tl.load(gates + gate, mask=inside).to(dtype)
    f = tl.load(gates + gate + size, mask=inside).to(dtype)
    g = tl.load(gates + gate + 2 * size, mask=inside).to(dtype)
    o = tl.load(gates + gate + 3 * size, mask=inside).to(dtype)
    tanh = tl.load(bent + new, mask=inside).to(dtype)
    c = tl.load(memory + n * old_n + r * old_r + u, mask=inside).to(dtype)
    h_slope = tl.load(grad_hidden + own, mask=inside).to(dtype)
    c_slope = tl.load(grad_memory + own, mask=inside).to(dtype)
    left_h, left_c, kept = (
        tl.load(arriving + n * add_n + r * add_r + u, mask=inside).to(dtype),
        c_slope * 0.0,
        g * 0.0 + 1.0,
    )
    if has_candidate:
        kept = tl.load(candidate + n * candidate_n + r * candidate_r + u * candidate_u, mask=inside).to(dtype)
    if has_hidden:
        zone = tl.load(zone_hidden + n * hidden_n + r * hidden_r + u * hidden_u, mask=inside).to(dtype)
        left_h += zone * h_slope
        h_slope = (1.0 - zone) * h_slope
    if has_cell:
        zone = tl.load(zone_cell + n * cell_n + r * cell_r + u * cell_u, mask=inside).to(dtype)
        left_c = zone * c_slope
        c_slope = (1.0 - zone) * c_slope
    c_slope += h_slope * o * (1.0 - tanh * tanh)
    tl.store(slopes + gate, c_slope * g * kept * i * (1.0 - i), mask=inside)
    tl.store(slopes + gate + size, c_slope * c * f * (1.0 - f), mask=inside)
    tl.store(slopes + gate + 2 * size, c_slope * i * kept * (1.0 - g * g), mask=inside)
    tl.store(slopes + gate + 3 * size, h_slope * tanh * o * (1.0 - o), mask=inside)
    tl.store(grad_hidden + own, left_h, mask=inside)
    tl.store(grad_memory + own, left_c + c_slope * f, mask=inside)


def advance(
    sums: Tensor,
    hidden: Tensor,
    memory: Tensor,
    noise: Noise,
    gates: Tensor,
    new_hidden: Tensor,
    new_memory: Tensor,
    bent: Tensor,
) -> None:
    """One step of all rows, each result into its place: from ``sums`` the gates; ``bent`` is tanh of the new cell.

    ``hidden`` and ``memory`` lie alike in memory, and so do the last three.
    """
    grid, sizes = _grid(memory)
    masks, strides, flags = _masks(noise, memory)
    kernel: Any = _forward
    kernel[grid](
        sums, hidden, memory, *masks, gates, new_hidden, new_memory, bent,
        *sizes, *_rows(sums), *_rows(gates), *_rows(memory), *_rows(new_memory), *strides, *flags,
        _number_format(memory), BLOCK,
    )  # fmt: skip


def retreat(
    gates: Tensor,
    memory: Tensor,
    bent: Tensor,
    noise: Noise,
    grad_hidden: Tensor,
    grad_memory: Tensor,
    arriving: Tensor,
    slopes: Tensor,
) -> None:
    """The gradient of one step: into ``slopes`` that of what the gates are made of, which lie as the gates do.

    ``grad_hidden`` and ``grad_memory`` are those of the state after the step and become those of the state before it,
    but for what the gates read of it; ``arriving``, the gradient of the output before, is added. Both are contiguous.
    """
    grid, sizes = _grid(memory)
    masks, strides, flags = _masks(noise, memory)
    kernel: Any = _backward
    kernel[grid](
        gates, memory, bent, *masks, grad_hidden, grad_memory, arriving, slopes,
        *sizes, *_rows(gates), *_rows(memory), *_rows(bent), *_rows(arriving), *strides, *flags,
        _number_format(memory), BLOCK,
    )  # fmt: skip


def _grid(memory: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    num_rows, size = memory.shape[-2:]
    return (memory.numel() // size, triton.cdiv(size, BLOCK)), (size, num_rows)


def _rows(tensor: Tensor) -> tuple[int, int]:
    """From one network to the next and from one row to the next, in numbers."""
    return (tensor.stride(0) if tensor.dim() == 3 else 0), tensor.stride(-2)


def _masks(noise: Noise, like: Tensor) -> tuple[list[Tensor], list[int], list[bool]]:
    found = (noise.candidate, noise.zone_hidden, noise.zone_cell)
    wide = [like if mask is None else mask.expand_as(like) for mask in found]
    strides = [stride for mask in wide for stride in (*_rows(mask), mask.stride(-1))]
    return wide, strides, [mask is not None for mask in found]


def _number_format(tensor: Tensor) -> Any:
    """Of the computation: single where it is not double."""
    return tl.float64 if tensor.dtype == torch.float64 else tl.float32
