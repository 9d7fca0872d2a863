"""A batch that memory has no room for is computed in parts, one after the other, with the same gradient."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from lstmdrop.errors import LstmdropError
from lstmdrop.task import Stateful
from lstmdrop.training.checkpoint import load_random_state, random_state

if TYPE_CHECKING:
    from typing_extensions import Self

BatchT = TypeVar("BatchT")
ResultT = TypeVar("ResultT")

log = logging.getLogger("lstmdrop.training")

SIGNS = ("can't allocate memory", "could not create a", "could not execute a", "out of memory", "ALLOC_FAILED")
"""What PyTorch's allocator on a CPU, oneDNN (a primitive, a memory object), and CUDA's libraries say."""


@runtime_checkable
class Divisible(Protocol):
    """A batch whose rows can be computed in parts: their losses, counts and divisors add up to its own."""

    @property
    def num_rows(self) -> int:
        """How many there are."""
        ...

    def some_rows(self, rows: slice) -> Self:
        """These alone; both bounds of ``rows`` are given, and there is at least one between them."""
        ...


class OutOfMemoryError(LstmdropError):
    """There is not enough memory, and no smaller part to compute."""

    message = (
        "memory ran out: fewer at a time (training.batch_size, decoding.batch_size ...), a smaller --size, "
        "or a machine with more"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, of whatever library and device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def within_memory(
    batches: Sequence[BatchT],
    run: Callable[[Sequence[BatchT]], ResultT],
    prepare: Callable[[], Callable[[], None]],
    num_parts: int,
    where: str,
) -> tuple[ResultT, int]:
    """What ``run`` makes of the batches in ``num_parts`` parts, or in twice as many, and so on, where memory runs out.

    ``prepare`` gives what takes back a run that breaks off. Returns the number of parts too.

    Raises:
        OutOfMemoryError: it runs out for a single row.
    """
    if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        return run(in_parts(batches, num_parts)), num_parts  # a recording cannot be taken back
    while True:
        undo = prepare()
        try:
            return run(in_parts(batches, num_parts)), num_parts
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            said = next(iter(str(error).splitlines()), type(error).__name__)
        undo()  # here, where no frame of what broke off keeps its memory
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        num_parts = _more_parts(num_parts, most_parts(batches), where, said)


def _more_parts(num_parts: int, most: int, where: str, said: str) -> int:
    if num_parts >= most:
        raise OutOfMemoryError(
            f"{where}: memory runs out for a single row of a batch: a smaller --size, shorter sequences, or more "
            f"memory ({said[:200]})"
        )
    more = min(2 * num_parts, most)
    log.warning(
        "%s: memory ran out: from here on each batch is computed in %d parts, one after the other; the gradient is the "
        "same, but dropout masks are drawn for each part",
        where, more,
    )  # fmt: skip
    return more


def undoing(sums: Sequence[Tensor], parameters: Sequence[Tensor], objective: object) -> Callable[[], None]:
    """What takes the random state, running sums and what an objective carries back to how they are now, all
    gradients to none.
    """
    device = parameters[0].device
    random, before = random_state(device), [value.clone() for value in sums]
    carried = objective.state_dict() if isinstance(objective, Stateful) else {}

    def undo() -> None:
        load_random_state(random, device)
        for value, old in zip(sums, before, strict=True):
            value.copy_(old)
        for parameter in parameters:
            parameter.grad = None
        if isinstance(objective, Stateful):
            objective.load_state_dict(carried)

    return undo


def most_parts(batches: Sequence[object]) -> int:
    """In how many parts the largest of these batches can be computed."""
    return max((batch.num_rows for batch in batches if isinstance(batch, Divisible)), default=1)


def in_parts(batches: Sequence[BatchT], num_parts: int) -> list[BatchT]:
    """Each batch in so many parts of about one size, or in as many as it has rows."""
    if num_parts == 1:
        return list(batches)
    return [part for batch in batches for part in _divided(batch, num_parts)]


def _divided(batch: BatchT, num_parts: int) -> list[BatchT]:
    if not isinstance(batch, Divisible):
        return [batch]
    num_rows = batch.num_rows
    number = min(num_parts, num_rows)
    bounds = [num_rows * place // number for place in range(number + 1)]
    return [batch.some_rows(slice(*pair)) for pair in pairwise(bounds)]
