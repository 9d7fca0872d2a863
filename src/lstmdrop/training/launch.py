"""Whether a launcher such as torchrun started this process as one of several workers; known without PyTorch."""

from __future__ import annotations

import os
from typing import NamedTuple

from lstmdrop.errors import UsageError

TYPE_CHECKING = False  # as in `lstmdrop.training.interruption`
if TYPE_CHECKING:
    from collections.abc import Mapping

RANK, LOCAL_RANK, WORLD_SIZE = "RANK", "LOCAL_RANK", "WORLD_SIZE"


class Launch(NamedTuple):
    """This process among those that were started together; numbers count from 0."""

    rank: int
    local_rank: int
    """Among those of its machine."""
    world_size: int
    restarts: int
    """How often all have been started again, since one was lost."""


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Present if and only if ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE`` are set.

    Raises:
        UsageError: they are no numbers, or contradict each other.
    """
    given = {name: environment.get(name) for name in (RANK, LOCAL_RANK, WORLD_SIZE)}
    if None in given.values():
        return None
    try:
        numbers = {name: int(value or "") for name, value in given.items()}
        restarts = int(environment.get("TORCHELASTIC_RESTART_COUNT", "0"))
        launch = Launch(numbers[RANK], numbers[LOCAL_RANK], numbers[WORLD_SIZE], restarts)
        if not 0 <= launch.local_rank <= launch.rank < launch.world_size:
            raise ValueError
    except ValueError:
        told = ", ".join(f"{name}={value}" for name, value in given.items())
        raise UsageError(f"{told} in the environment name no worker: start with torchrun, or unset them") from None
    return launch


def is_follower(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether another worker than this one speaks for all."""
    rank = environment.get(RANK, "0")
    return rank != "0" and {LOCAL_RANK, WORLD_SIZE} <= environment.keys()
