"""Batches of sequences of like length, by number of tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Lengths = npt.NDArray[np.int64]


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
