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
    order = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    bounds = _bounds(lengths[order], max_tokens)
    batches = np.split(order, bounds[1:-1]) if len(order) else []
    return [batches[number] for number in generator.permutation(len(batches))]


def _bounds(rising: Lengths, max_tokens: int) -> list[int]:
    bounds = [0]
    while bounds[-1] < len(rising):
        start = bounds[-1]
        most = max(1, max_tokens // max(1, int(rising[start])))
        padded = rising[start : start + most] * np.arange(1, len(rising[start : start + most]) + 1)
        bounds.append(start + max(1, int(np.searchsorted(padded, max_tokens, side="right"))))
    return bounds
