"""What tasks time: a step of training, a plain one, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import median
from typing import Protocol

import torch
from torch import Tensor, nn

from lstmdrop.config import TaskConfig, TrainingConfig
from lstmdrop.nn.linear import linear
from lstmdrop.task import BatchT, Task
from lstmdrop.training.device import reset_switches, set_switches
from lstmdrop.training.trainer import Trainer

WARM_UP_STEPS = 2
STEPS_IN_A_ROW = 20
BLOCK_SECONDS = 1.0
"""Rivals take turns after so long, so that a machine that slows down slows all of them."""

Step = Callable[[], object]


def median_seconds(rivals: Sequence[Step], seconds: float, device: torch.device) -> list[float]:
    """Median duration in seconds of each rival's step, after a warm-up, within about ``seconds`` for each.

    On a GPU it is the mean of some steps in a row, after which alone the host waits, as it does in training.
    """
    durations: list[list[float]] = [[] for _ in rivals]
    for step in rivals:
        for _ in range(WARM_UP_STEPS):
            _duration(step, device)
    while min(sum(taken) for taken in durations) < seconds:
        for step, taken in zip(rivals, durations, strict=True):
            end = time.perf_counter() + BLOCK_SECONDS
            taken.append(_duration(step, device))
            while time.perf_counter() < end:
                taken.append(_duration(step, device))
    return [median(taken) for taken in durations]


def matrix_product_rate(device: torch.device, size: int = 2048, repeats: int = 20) -> float:
    """Floating-point operations a second in a large float32 matrix product at its best: what the machine could do."""
    left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    seconds = min(_duration(lambda: linear(left, right), device) for _ in range(repeats))
    return 2 * size**3 / seconds


def _duration(step: Step, device: torch.device) -> float:
    if device.type != "cuda":
        return _timed(step)
    torch.cuda.synchronize(device)
    return _timed(lambda: _steps_in_a_row(step, device)) / STEPS_IN_A_ROW


def _timed(work: Step) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _steps_in_a_row(step: Step, device: torch.device) -> None:
    for _ in range(STEPS_IN_A_ROW):
        step()
    torch.cuda.synchronize(device)


def plain_step(network: nn.Module, config: TrainingConfig, batches: Sequence[BatchT]) -> Callable[[], None]:
    """The plainest step on these batches, over and over, with the flags that PyTorch starts with.

    ``network(batch)`` is the loss.
    """
    parameters = list(network.parameters())
    optimizer = _optimizer(config, parameters)
    endless = cycle(batches)

    def step() -> None:
        reset_switches()
        loss: Tensor = network(next(endless))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, config.clip)
        optimizer.step()

    return step


def _optimizer(config: TrainingConfig, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.rate)
    return torch.optim.SGD(parameters, lr=config.rate)


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
