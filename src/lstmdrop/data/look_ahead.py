"""Reading what is wanted next while what was read is used."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def read_ahead(reads: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What each of ``reads`` gives, in their order: while one result is used, the next is read in another thread."""
    remaining = iter(reads)
    first = next(remaining, None)
    if first is None:
        return
    result = first()
    with ThreadPoolExecutor(1, "look-ahead") as reader:  # it has no thread until there is something to read ahead
        for read in remaining:
            following = reader.submit(read)
            yield result
            result = following.result()
    yield result


def let_go(array: np.ndarray) -> None:
    """Give back the memory of an array that is a mapped file; what is used again is read again.

    Pages of a mapped file count as the process's own once they are used, and a long text would fill the memory by and
    by: some systems then swap, and containers end the process.
    """
    mapped = getattr(array, "_mmap", None)  # NumPy's name for what a memmap and its views share
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
