"""A training step that is recorded once and then replayed: the device repeats by itself what the host had launched."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic

import torch
from torch import Tensor

from lstmdrop.config import TrainingConfig
from lstmdrop.errors import LstmdropError
from lstmdrop.task import BatchT, Stateful
from lstmdrop.training.optimizer import changes_by_step

Update = Callable[[Sequence[BatchT]], int]
"""Changes the weights by a group of batches; tells how many items they held."""

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes down what a function does, without doing it; what it gives does it, on the same memory, at each call."""

WARM_UP_STEPS = 3
"""Libraries choose algorithms and allocate workspaces in the first steps."""


def is_recordable(config: TrainingConfig) -> bool:
    """Whether a step is always the same: AdamW counts its steps on the host, and a recorded step keeps its rate."""
    return config.replay and config.optimizer == "sgd" and not changes_by_step(config)


def recorder_on(device: torch.device) -> Record:
    """Records as a CUDA graph; random numbers are fresh at each replay."""

    def record(run: Callable[[], None]) -> Callable[[], None]:
        gc.collect()  # or an older graph might be destroyed while this one is taken down
        with torch.cuda.device(device):
            graph = torch.cuda.CUDAGraph()
            torch.cuda.synchronize()
            try:
                with torch.cuda.graph(graph):
                    run()
            except RuntimeError as error:
                raise LstmdropError(
                    f"a step could not be recorded as a CUDA graph ({error}); --set training.replay=false does without"
                ) from error
        return graph.replay

    return record


class Replay(Generic[BatchT]):
    """An update that replays itself for batches of the shape that comes first; others, such as the last, are eager.

    Batches are named tuples of tensors and numbers. What ``objective`` carries from step to step stays in one place
    of memory, so that a checkpoint between two replays finds it there.
    """

    def __init__(self, update: Update[BatchT], objective: Stateful, record: Record) -> None:
        self._update, self._objective, self._record = update, objective, record
        self._seen: Counter[Hashable] = Counter()
        self._shape: Hashable | None = None
        self._batches: list[Any] = []
        self._carried: dict[str, Tensor] = {}
        self._num_items = 0

    def __call__(self, batches: Sequence[BatchT]) -> int:
        """One update; returns the number of items."""
        shape = _shape(batches)
        self._seen[shape] += 1
        if self._shape is None and self._seen[shape] > WARM_UP_STEPS:
            self._start(batches)
            self._shape = shape
        if shape != self._shape:
            return self._update(batches)
        for old, new in zip(_tensors(self._batches), _tensors(batches), strict=True):
            old.copy_(new)
        self._take_back()
        self._repeat()
        return self._num_items

    def _start(self, batches: Sequence[Any]) -> None:
        self._batches = [type(batch)(*(_copy(field) for field in batch)) for batch in batches]
        self._carried = {name: value.clone() for name, value in self._objective.state_dict().items()}
        self._objective.load_state_dict(self._carried)
        self._repeat = self._record(self._run)

    def _run(self) -> None:
        self._num_items = self._update(self._batches)
        self._take_back()

    def _take_back(self) -> None:
        """Bring what an eager update has carried to the place where the recording looks for it."""
        for name, value in self._objective.state_dict().items():
            if value is not self._carried[name]:
                self._carried[name].copy_(value)
        self._objective.load_state_dict(self._carried)


def _shape(batches: Sequence[Any]) -> Hashable:
    return tuple(tuple(field.shape if isinstance(field, Tensor) else field for field in batch) for batch in batches)


def _tensors(batches: Sequence[Any]) -> list[Tensor]:
    return [field for batch in batches for field in batch if isinstance(field, Tensor)]


def _copy(field: Any) -> Any:
    return field.clone() if isinstance(field, Tensor) else field
