"""Dealing items to many workers of which some fail, in the toolkit's own order of batches and shares.

A step is taken by all workers or by none. When one fails, all begin again from the last checkpoint, as many as there
are by then; what was done since is undone. Whatever happens, each item must count once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmdrop.data.batching import PlannedBatches, Share, token_batches

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Failing:
    """A run on machines that fail."""

    num_items: int = 1_000_000
    num_workers: int = 1_000
    workers_per_machine: int = 8
    tokens_per_worker: int = 512
    """In one step."""
    steps_between_checkpoints: int = 7
    failures_per_step: float = 0.05
    """The chance that a machine is lost in a step."""
    back_per_step: float = 0.02
    """The chance that one comes back: all begin again then too, at a checkpoint."""
    epochs: int = 3
    seed: int = 1


@dataclass(slots=True)
class History:
    """What was counted in the end, and what it took."""

    times: Numbers
    """By item how often it counted in the epoch."""
    steps: int = 0
    undone: int = 0
    failures: int = 0
    fewest_workers: int = 0
    widest: int = 0
    """The largest difference, in items, between two workers of a step."""
    largest: list[float] = field(default_factory=list)
    """Of each step the most tokens that one worker had, padding included, over the mean."""


def shares(plan: Sequence[Numbers], num_workers: int) -> list[PlannedBatches[Numbers | None]]:
    """Each worker's part of the epoch's batches, as training deals them."""
    batches = PlannedBatches(plan, lambda numbers: numbers)
    return [batches.shared(Share(worker, num_workers)) for worker in range(num_workers)]


def resumed_at(saved: int) -> int:
    """The batch that training goes on with."""
    return saved


def run_epoch(
    how: Failing, lengths: Numbers, epoch: int, chance: np.random.Generator, restart: Callable[[int], int] = resumed_at
) -> History:
    """One epoch to its end; ``restart`` says where training goes on, for a test that breaks it."""
    order = np.random.default_rng([how.seed, epoch])
    plan = token_batches(lengths, how.tokens_per_worker * how.num_workers, order)
    history = History(np.zeros(len(lengths), np.int64), fewest_workers=how.num_workers)
    present = how.num_workers
    dealt = shares(plan, present)
    position = saved = 0
    pending: list[Numbers] = []
    while position < len(plan):
        lost = chance.random() < how.failures_per_step and present > how.workers_per_machine
        back = present < how.num_workers and chance.random() < how.back_per_step
        if lost or back:
            history.failures += lost
            history.undone += len(pending)
            present += how.workers_per_machine if back else -how.workers_per_machine
            present = min(present, how.num_workers)
            history.fewest_workers = min(history.fewest_workers, present)
            dealt, position, pending = shares(plan, present), restart(saved), []
            continue
        parts = [worker[position] for worker in dealt]
        pending.append(np.concatenate([part for part in parts if part is not None]))
        _weigh(history, parts, lengths)
        position += 1
        history.steps += 1
        if len(pending) == how.steps_between_checkpoints or position == len(plan):
            np.add.at(history.times, np.concatenate(pending), 1)
            saved, pending = position, []
    return history


def _weigh(history: History, parts: Sequence[Numbers | None], lengths: Numbers) -> None:
    sizes = [0 if part is None else len(part) for part in parts]
    tokens = [0 if part is None else len(part) * int(lengths[part].max()) for part in parts]
    history.widest = max(history.widest, max(sizes) - min(sizes))
    history.largest.append(max(tokens) * len(tokens) / sum(tokens))


def dealt_out(how: Failing) -> list[dict[str, Any]]:
    """A line for each epoch."""
    chance = np.random.default_rng(how.seed)
    lengths = np.clip(chance.gamma(2.0, 14.5, how.num_items).astype(np.int64), 1, 100)
    rows = []
    for epoch in range(how.epochs):
        history = run_epoch(how, lengths, epoch, chance)
        rows.append(
            {
                "epoch": epoch + 1,
                "items": how.num_items,
                "workers": how.num_workers,
                "fewest_workers": history.fewest_workers,
                "failures": history.failures,
                "steps": history.steps,
                "undone_steps": history.undone,
                "fewest_times": int(history.times.min()),
                "most_times": int(history.times.max()),
                "widest_difference_in_items": history.widest,
                "largest_part_in_tokens": max(history.largest),
                "largest_part_in_the_middle": median(history.largest),
            }
        )
    return rows
