"""What of a task several workers share: its batches, what is carried from one to the next, masks, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmdrop.errors import ConfigError
from lstmdrop.task import BatchT, CarriesStreams, Shareable, Stateful, Tallies, Task
from lstmdrop.training.workers import Workers


def require_shareable(task: Task[Any], workers: Workers) -> None:
    """Make sure that a task can be trained by so many workers.

    Raises:
        ConfigError: its batches cannot be dealt out among them.
    """
    if workers.count == 1:
        return
    objective = task.objective()
    if not isinstance(task, Shareable) or (
        isinstance(objective, Stateful) and not isinstance(objective, CarriesStreams)
    ):
        raise ConfigError("the batches of this task cannot be dealt out: it is trained by one worker, without torchrun")
    most = task.most_workers
    if most is not None and workers.count > most:
        raise ConfigError(
            f"{workers.count} workers cannot share a batch of {most} streams: start at most {most} (--nproc-per-node), "
            "or raise training.batch_size, which is that of all workers together, or lower training.accumulate"
        )


def shared_batches(task: Task[BatchT], workers: Workers, epoch: int) -> Iterable[BatchT]:
    """The training batches of an epoch, or a worker's share of each: None where that is empty."""
    if workers.count > 1 and isinstance(task, Shareable):
        return task.shared_batches(workers.share, epoch=epoch)
    return task.batches("train", epoch=epoch)


def carried(objective: object, workers: Workers) -> dict[str, Tensor]:
    """What an objective has of the batches before, that of all workers together; nothing if it carries nothing."""
    if isinstance(objective, CarriesStreams):
        return workers.whole(objective.state_dict(), objective.stream_axis)
    return objective.state_dict() if isinstance(objective, Stateful) else {}


def load_carried(objective: object, state: Mapping[str, Tensor], workers: Workers) -> None:
    """Put back a worker's share of what `carried` gave, by however many workers."""
    if isinstance(objective, CarriesStreams):
        objective.load_state_dict(workers.own(state, objective.stream_axis))
    elif isinstance(objective, Stateful):
        objective.load_state_dict(dict(state))


def draw_own_masks(workers: Workers, seed: int, step: int) -> None:
    """Let the random numbers of a step follow from the step and the worker, so that none need be kept for each."""
    if workers.count > 1:
        numbers = np.random.SeedSequence([seed, step, workers.share.worker])
        torch.manual_seed(int(numbers.generate_state(1)[0]))


def add_up_tallies(task: object, workers: Workers) -> None:
    """Let the first worker have what all have counted."""
    if isinstance(task, Tallies):
        total = sum(workers.gathered(task.tally))
        task.tally = total if workers.is_first else 0
