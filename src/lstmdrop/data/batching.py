"""Batches: of one long stream, of items of about one length, and planned before they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat
from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

from lstmdrop.data.look_ahead import let_go, read_ahead

Lengths = npt.NDArray[np.int64]

_USUAL, _SPREAD, _SHORTEST = 0.95, 5.0, 5
"""Of windows of random length: the share of whole ones, the deviation of all, and the fewest steps."""

TOKENS_AT_ONCE = 1 << 21
"""On the device at a time, 16 MiB: a text such as Penn Treebank goes there once in an epoch."""


class Share(NamedTuple):
    """One worker's part of all that is dealt out: contiguous, and as large as any other but for one item."""

    worker: int = 0
    num_workers: int = 1

    def of(self, size: int, first: int = 0) -> slice:
        """Its place among ``size`` items from ``first`` on; the shares of all workers are each item once, in order."""
        least, more = divmod(size, self.num_workers)
        start = first + self.worker * least + min(self.worker, more)
        return slice(start, start + least + (self.worker < more))


WHOLE = Share()


class Window(NamedTuple):
    """A few steps of some streams; the targets are the inputs one step later.

    Windows of several models, one each, may be stacked along a first axis.
    """

    inputs: Int[Tensor, "*models time batch"]
    targets: Int[Tensor, "*models time batch"]
    part: int
    """Which of the parts of a batch this is: windows of one part follow each other in the text."""
    streams: tuple[int, int] | None = None
    """From which of the part's streams to before which these are; None where they are all."""

    @property
    def num_rows(self) -> int:
        """The number of streams."""
        return self.inputs.shape[-1]

    def some_rows(self, rows: slice) -> Window:
        """Some of the streams alone."""
        return Window(self.inputs[..., rows], self.targets[..., rows], self.part, (rows.start, rows.stop))


class Variation(NamedTuple):
    """What differs from one pass over the streams to another."""

    generator: np.random.Generator
    random_steps: bool = False
    """Windows of about ``num_steps``, one in twenty of half as many (Merity et al. 2018, section 5)."""
    rotate: bool = False
    """Each stream begins at a place of its own, and what comes before it follows its end (Press 2019)."""

    def sizes(self, num_steps: int) -> Iterator[int]:
        """The steps of one window after the other."""
        while self.random_steps:
            middle = num_steps if self.generator.random() < _USUAL else num_steps / 2
            yield max(min(_SHORTEST, num_steps), round(self.generator.normal(middle, _SPREAD)))
        yield from repeat(num_steps)

    def starts(self, streams: np.ndarray) -> Lengths | None:
        """Where each stream begins; None where it is its own beginning."""
        return self.generator.integers(streams.shape[1], size=len(streams)) if self.rotate else None


def stream_windows(
    tokens: np.ndarray,
    batch_size: int,
    num_steps: int,
    device: torch.device,
    num_parts: int = 1,
    variation: Variation | None = None,
    share: Share = WHOLE,
) -> Iterator[Window]:
    """Cut ``tokens`` into ``batch_size`` contiguous streams and yield them window by window.

    The last window of the streams may be shorter; the fewer than ``batch_size`` tokens that fill no row are
    left out. With ``num_parts`` the streams of one window come in so many groups, one after the other. With a
    ``variation`` the windows are of another length, or the streams begin elsewhere. Of each group a worker has its
    ``share`` of the streams. While a few million tokens are used, the next are read.

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
    starts = variation.starts(streams) if variation else None
    sizes = variation.sizes(num_steps) if variation else repeat(num_steps)
    part_size = batch_size // num_parts
    own = [share.of(part_size, first=part * part_size) for part in range(num_parts)]
    spans = ((start, min(start + steps_at_once + 1, length)) for start in range(0, length - 1, steps_at_once))
    for blocks in read_ahead(partial(_blocks, streams, starts, own, *span) for span in spans):
        groups = [torch.from_numpy(np.ascontiguousarray(block.T)).to(device) for block in blocks]
        first = 0
        while first < len(groups[0]) - 1:
            size = next(sizes)
            for part, rows in enumerate(groups):
                window = rows[first : first + size + 1]
                yield Window(window[:-1], window[1:], part)
            first += size


def _blocks(
    streams: np.ndarray, starts: Lengths | None, groups: Sequence[slice], begin: int, end: int
) -> list[Lengths]:
    """Some columns of groups of the streams, or of streams that are rotated to their starts."""
    blocks = []
    for rows in groups:
        if starts is None:
            block = streams[rows, begin:end]
        else:
            columns = (starts[rows, None] + np.arange(begin, end)) % streams.shape[1]
            block = np.take_along_axis(streams[rows], columns, 1)
        blocks.append(block.astype(np.int64))
    let_go(streams)
    return blocks


def num_windows(num_tokens: int, batch_size: int, num_steps: int) -> int:
    """How many windows `stream_windows` gives of each part; about so many where their lengths are random."""
    return -(-(num_tokens // batch_size - 1) // num_steps)


def token_batches(lengths: Lengths, max_tokens: int, generator: np.random.Generator) -> list[Lengths]:
    """Every index of ``lengths`` (sequences, tokens of each) once, in batches drawn anew by ``generator``.

    A batch padded to its longest sequence has at most ``max_tokens`` tokens, or it is one sequence alone. Equal
    lengths are shuffled among each other, and so are the batches; the number of batches never changes.
    """
    shuffled = generator.permutation(len(lengths))
    order = shuffled[np.argsort(_narrow(lengths)[shuffled], kind="stable")]
    bounds = _bounds(lengths[order], max_tokens)
    batches = np.split(order, bounds[1:-1]) if len(order) else []
    return [batches[number] for number in generator.permutation(len(batches))]


def _narrow(lengths: Lengths) -> npt.NDArray[np.integer]:
    # NumPy sorts 16 bits digit by digit, ten times as fast as it compares.
    return lengths.astype(np.uint16) if len(lengths) and lengths.max() < 1 << 16 else lengths


def _bounds(rising: Lengths, max_tokens: int) -> list[int]:
    """Where each batch begins, and where the last one ends; whole runs of one length at a time."""
    bounds, start, begin = [0], 0, 0
    values, counts = np.unique(rising, return_counts=True)
    for length, end in zip(values.tolist(), np.cumsum(counts).tolist(), strict=True):
        most = max_tokens // max(1, length)
        if end - start > most:
            if start < begin:  # an open batch of shorter sequences: what of this length still fits closes it
                start = max(start + most, begin)
                bounds.append(start)
            size = max(1, most)
            full = range(start + size, end, size)
            bounds.extend(full)
            start = full[-1] if full else start
        begin = end
    return [*bounds, len(rising)] if begin else bounds


Numbers = npt.NDArray[np.int64]
BatchT = TypeVar("BatchT")


class PlannedBatches(Sequence[BatchT], Generic[BatchT]):
    """A sequence of batches, so that a run that goes on makes none of those that it has seen.

    ``plan`` has the numbers of each batch's items, and ``make`` makes the batch of them.
    """

    def __init__(self, plan: Sequence[Numbers], make: Callable[[Numbers], BatchT]) -> None:
        self._plan = plan
        self._make = make

    def __len__(self) -> int:
        return len(self._plan)

    @overload
    def __getitem__(self, place: int) -> BatchT: ...
    @overload
    def __getitem__(self, place: slice) -> PlannedBatches[BatchT]: ...
    def __getitem__(self, place: int | slice) -> BatchT | PlannedBatches[BatchT]:
        if isinstance(place, slice):
            return PlannedBatches(self._plan[place], self._make)
        return self._make(self._plan[place])

    def shared(self, share: Share) -> PlannedBatches[BatchT | None]:
        """Of each batch a worker's share of its items; None where that has none."""
        plan = [numbers[share.of(len(numbers))] for numbers in self._plan]
        return PlannedBatches(plan, lambda numbers: self._make(numbers) if len(numbers) else None)


def after(batches: Iterable[BatchT], num_seen: int) -> Iterator[BatchT]:
    """What comes after the first batches; those of a sequence are not made again."""
    if isinstance(batches, Sequence):
        return iter(batches[num_seen:])
    return islice(batches, num_seen, None)
