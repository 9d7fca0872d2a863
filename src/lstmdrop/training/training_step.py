"""One training step as a function, to be timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Protocol

from lstmdrop.config import TaskConfig
from lstmdrop.task import BatchT, Task
from lstmdrop.training.precision import set_switches
from lstmdrop.training.trainer import Trainer


class _Configured(Task[BatchT], Protocol[BatchT]):
    @property
    def config(self) -> TaskConfig: ...


def training_step(task: _Configured[BatchT], batches: Sequence[BatchT]) -> Callable[[], None]:
    """The trainer's step on these batches, over and over, with the flags that training sets."""
    task.model.train()
    trainer, endless = Trainer(task, task.config), cycle(batches)

    def step() -> None:
        set_switches(task.config.training)
        trainer.step([next(endless)])

    return step
