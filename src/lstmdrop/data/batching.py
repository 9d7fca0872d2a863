"""Parallel streams of one text, cut into windows, for truncated back-propagation with carried state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

TOKENS_AT_ONCE = 1 << 21
"""On the device at a time, 16 MiB: a text such as Penn Treebank goes there once in an epoch."""


class Window(NamedTuple):
    """A few steps of some streams; the targets are the inputs one step later."""

    inputs: Int[Tensor, "time batch"]
    targets: Int[Tensor, "time batch"]
    part: int
    """Which of the parts of a batch this is: windows of one part follow each other in the text."""


def stream_windows(
    tokens: np.ndarray, batch_size: int, num_steps: int, device: torch.device, num_parts: int = 1
) -> Iterator[Window]:
    """Cut ``tokens`` into ``batch_size`` contiguous streams and yield them window by window.

    The last window of the streams may be shorter; the fewer than ``batch_size`` tokens that fill no row are
    left out. With ``num_parts`` the streams of one window come in so many groups, one after the other.

    Raises:
        ValueError: the streams cannot be split evenly, or the text is too short for one prediction each.
    """
    if batch_size % num_parts:
        raise ValueError(f"{batch_size} streams cannot be split into {num_parts} equal parts")
    length = len(tokens) // batch_size
    if length < 2:
        raise ValueError(f"{len(tokens)} tokens are too few for {batch_size} streams")
    streams = tokens[: batch_size * length].reshape(batch_size, length)
    steps_at_once = num_steps * max(1, TOKENS_AT_ONCE // (batch_size * num_steps))
    for start in range(0, length - 1, steps_at_once):
        block = streams[:, start : start + steps_at_once + 1].astype(np.int64)
        groups = [torch.from_numpy(np.ascontiguousarray(rows.T)).to(device) for rows in np.split(block, num_parts)]
        for first in range(0, block.shape[1] - 1, num_steps):
            for part, rows in enumerate(groups):
                window = rows[first : first + num_steps + 1]
                yield Window(window[:-1], window[1:], part)


def num_windows(num_tokens: int, batch_size: int, num_steps: int) -> int:
    """How many windows `stream_windows` gives of each part."""
    return -(-(num_tokens // batch_size - 1) // num_steps)
