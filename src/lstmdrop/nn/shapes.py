"""What a network is given, held against what it takes: a library's kernel would compute with it, or write past its end.

Shapes and number formats alone are looked at, never values that lie on a device: the host would wait for it, and no
step could be recorded.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def require_sizes(**sizes: int) -> None:
    """Make sure that each size of a network is at least 1.

    Raises:
        ValueError: one is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is at least 1, not {size}")


def require_shape(name: str, tensor: Tensor, shape: tuple[int | str, ...]) -> None:
    """Make sure of a shape, of which an axis that is named may have any size.

    Raises:
        ValueError: it is another; both are said.
    """
    if tensor.shape == shape or torch.compiler.is_exporting():  # where a graph is made, sizes are symbols
        return
    found = tuple(tensor.shape)
    is_same = len(found) == len(shape) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(found, shape, strict=True)
    )
    if not is_same:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} has shape {found} where ({wanted}{',' * (len(shape) == 1)}) is needed")


def require_alike(name: str, tensor: Tensor, weight: Tensor) -> None:
    """Make sure that a tensor lies where the weights do, and in their number format unless autocast sees to that.

    Raises:
        ValueError: it does not.
    """
    if tensor.dtype == weight.dtype and tensor.device == weight.device:
        return
    places = [(each.device.type, each.device.index or 0) for each in (tensor, weight)]
    if places[0] != places[1]:
        raise ValueError(f"{name} is on {tensor.device}, the weights are on {weight.device}")
    is_cast = torch.is_autocast_enabled(weight.device.type) and tensor.is_floating_point()
    if tensor.dtype != weight.dtype and not is_cast:
        raise ValueError(f"{name} is {tensor.dtype}, the weights are {weight.dtype}")


def require_lengths(lengths: Tensor, num_steps: int, batch_size: int, shortest: int = 1) -> None:
    """Make sure that each row has a length up to ``num_steps``; how long it is, only where lengths are on the CPU.

    Raises:
        ValueError: there is another number of rows, or a row is longer, shorter than ``shortest`` or not whole.
    """
    require_shape("lengths", lengths, (batch_size,))
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths are whole numbers of steps, not {lengths.dtype}")
    if lengths.device.type == "cpu" and not torch.compiler.is_exporting() and batch_size:
        least, most = (int(end) for end in torch.aminmax(lengths))
        if least < shortest or most > num_steps:
            raise ValueError(f"lengths lie from {shortest} to {num_steps}, the number of steps, not {lengths.tolist()}")


class Span(NamedTuple):
    """Some steps, and the rows that have not ended before them."""

    steps: slice
    rows: slice


WHOLE = (Span(slice(None), slice(None)),)


def spans(lengths: Int[Tensor, " batch"]) -> list[Span]:
    """The pieces of a batch whose rows are sorted by falling length: as many as there are different lengths.

    Raises:
        ValueError: a row has no step, or the rows are not sorted.
    """
    steps = [int(length) for length in lengths]
    if min(steps, default=0) < 1 or steps != sorted(steps, reverse=True):
        raise ValueError(f"lengths must fall and be at least 1, not {steps}")
    pieces, start = [], 0
    for end in sorted(set(steps)):
        num_rows = sum(length >= end for length in steps)
        pieces.append(Span(slice(start, end), slice(num_rows)))
        start = end
    return pieces


def read_backwards(
    rows: Shaped[Tensor, "time batch *features"], lengths: Int[Tensor, " batch"] | None = None
) -> Shaped[Tensor, "time batch *features"]:
    """Each row from its own end to its start, its padding left where it is; its own inverse.

    Raises:
        ValueError: the lengths are not those of these rows.
    """
    num_steps, batch_size = rows.shape[:2]
    ends = torch.full((batch_size,), num_steps) if lengths is None else lengths
    require_lengths(ends, num_steps, batch_size, shortest=0)
    ends = ends.to(rows.device)
    steps = torch.arange(num_steps, device=rows.device)[:, None]
    order = torch.where(steps < ends, ends - 1 - steps, steps)
    return rows[order, torch.arange(batch_size, device=rows.device)]


def draw_mask(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
    """A fresh mask of ``shape`` whose entries are 0 with probability ``rate``, else ``1 / (1 - rate)``."""
    return like.new_empty(shape).bernoulli_(1 - rate).div_(1 - rate) if rate else like.new_ones(shape)


def drop_each_step(inputs: Float[Tensor, "time batch features"], rate: float) -> Tensor:
    """Drop entries with a fresh, independent mask at every step (Zaremba et al. 2014, the operator D)."""
    return F.dropout(inputs, rate)


def drop_locked(inputs: Float[Tensor, "time batch features"], rate: float) -> Tensor:
    """Drop entries with one mask for all steps of the sequence (Gal & Ghahramani 2016, section 4)."""
    _, batch, features = inputs.shape
    return inputs * draw_mask((1, batch, features), rate, inputs)
