"""What many workers cost each other, in plain formulas; times in seconds, sizes in bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Link(NamedTuple):
    """What joins each worker to the next."""

    name: str
    bytes_per_second: float
    """In one direction."""
    latency: float
    """Of a message."""


def ring_seconds(num_bytes: float, workers: int, link: Link) -> float:
    """A sum over workers in a ring: each sends 2 (N - 1) messages of 1/N of the buffer (Patarasuk and Yuan 2009)."""
    steps = 2 * (workers - 1)
    return steps * (num_bytes / workers / link.bytes_per_second + link.latency)


def fitted_link(name: str, measured: Iterable[tuple[int, int, float]]) -> Link:
    """The link under which `ring_seconds` is nearest to what was measured, in the ratio of the two.

    ``measured`` has workers, bytes and seconds. Small buffers tell the latency, large ones the rate.
    """
    rows = list(measured)
    latency = min(seconds / (2 * (workers - 1)) for workers, _, seconds in rows)
    rates = sorted(
        2 * (workers - 1) / workers * size / max(seconds - 2 * (workers - 1) * latency, seconds / 2)
        for workers, size, seconds in rows
        if size >= max(size for _, size, _ in rows) / 16
    )
    return Link(name, rates[len(rates) // 2], latency)


def fitted_line(points: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """What is always there, not below zero, and what is added for each unit; least squares of the relative error."""
    rows = [(x, y, 1 / y**2) for x, y in points]
    weight = sum(w for _, _, w in rows)
    mean_x, mean_y = sum(w * x for x, _, w in rows) / weight, sum(w * y for _, y, w in rows) / weight
    slope = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in rows) / sum(w * (x - mean_x) ** 2 for x, _, w in rows)
    base = mean_y - slope * mean_x
    return (base, slope) if base >= 0 else (0.0, mean_y / mean_x)


def best_interval(checkpoint: float, between_failures: float) -> float:
    """Between checkpoints, so that least is lost: Young 1974; for the pause ``checkpoint`` each makes."""
    return math.sqrt(2 * checkpoint * between_failures)


def lost_share(interval: float, checkpoint: float, between_failures: float, restart: float) -> float:
    """The share of all time that checkpoints, work done again, and coming back take (Daly 2006, to the first order)."""
    return checkpoint / interval + (interval / 2 + restart) / between_failures


def needed_sync(network: float, compute: float, share: float) -> int:
    """Steps between two sums so that the network takes at most this share of the computing."""
    return max(1, math.ceil(network / (share * compute)))
