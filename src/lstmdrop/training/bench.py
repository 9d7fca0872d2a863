"""What tasks time: training and scoring beside plain loops, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any, Generic, Protocol

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from lstmdrop.config import TaskConfig, TrainingConfig
from lstmdrop.contest import Contest, Rival, Step
from lstmdrop.task import BatchT, Task
from lstmdrop.training.device import reset_switches, set_switches
from lstmdrop.training.profile import DATA
from lstmdrop.training.trainer import Trainer

WARM_UP_STEPS = 2
STEPS_IN_A_ROW = 20
BLOCK_SECONDS = 1.0
"""Rivals take turns after so long, so that a machine that slows down slows all of them."""

Batches = Sequence[BatchT] | Callable[[], Iterator[BatchT]]
"""Those of a pass, or what makes them as each pass goes."""


def durations(rivals: Sequence[Step], seconds: float, device: torch.device) -> list[list[float]]:
    """Seconds of each rival's steps, after a warm-up, within about ``seconds`` for each; they take turns.

    On a GPU one is the mean of some steps in a row, after which alone the host waits, as it does in training.
    """
    taken: list[list[float]] = [[] for _ in rivals]
    for step in rivals:
        for _ in range(WARM_UP_STEPS):
            _duration(step, device)
    while min(sum(own) for own in taken) < seconds:
        for step, own in zip(rivals, taken, strict=True):
            end = time.perf_counter() + BLOCK_SECONDS
            own.append(_duration(step, device))
            while time.perf_counter() < end:
                own.append(_duration(step, device))
    return taken


def median_seconds(rivals: Sequence[Step], seconds: float, device: torch.device) -> list[float]:
    """Median duration in seconds of each rival's step, timed as in `durations`."""
    return [median(own) for own in durations(rivals, seconds, device)]


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


def endless(batches: Batches[BatchT]) -> Iterator[BatchT]:
    """Pass after pass."""
    while True:
        yield from batches() if callable(batches) else batches


def plain_step(network: nn.Module, config: TrainingConfig, batches: Batches[BatchT]) -> Callable[[], None]:
    """The plainest step on these batches, over and over, with the flags that PyTorch starts with.

    ``network(batch)`` is the loss.
    """
    parameters = list(network.parameters())
    optimizer = _optimizer(config, parameters)
    coming = endless(batches)

    def step() -> None:
        reset_switches()
        loss: Tensor = network(next(coming))
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


class TrainingStep(Generic[BatchT]):
    """The trainer's step on these batches, over and over, with the flags that training sets."""

    def __init__(self, task: _Configured[BatchT], batches: Batches[BatchT]) -> None:
        task.model.train()
        self.model = task.model
        self._config = task.config.training
        self._trainer, self._coming = Trainer(task, task.config), endless(batches)

    def __call__(self) -> None:
        """The next one."""
        set_switches(self._config)
        with record_function(DATA):
            batch = next(self._coming)
        self._trainer.step([batch])


def training_step(task: _Configured[BatchT], batches: Batches[BatchT]) -> TrainingStep[BatchT]:
    """Ours."""
    return TrainingStep(task, batches)


def on_each(work: Callable[[BatchT], object], batches: Batches[BatchT], config: TrainingConfig | None) -> Step:
    """Scores or decodes one batch after the other; without ``config`` with the flags that PyTorch starts with."""
    coming = endless(batches)

    def step() -> object:
        if config is None:
            reset_switches()
        else:
            set_switches(config)
        with torch.inference_mode():
            return work(next(coming))

    return step


def weight_bytes(module: nn.Module) -> float:
    """Of all weights that one run over the network reads; of embeddings few rows are read, which do not count."""
    layers = [layer for layer in module.modules() if not isinstance(layer, nn.Embedding)]
    return 4.0 * sum(weight.numel() for layer in layers for weight in layer.parameters(recurse=False))


def training_and_scoring(
    task: _Configured[BatchT],
    plain: Callable[[], Any],
    batches: Callable[[], Iterator[BatchT]],
    log_probs: Callable[[BatchT], Tensor],
    unit: str,
    num_items: int,
    flops: float,
) -> list[Contest]:
    """On batches of ``num_items``, each of which takes ``flops`` forward, and twice as much backward.

    What ``plain`` makes is a network that gives a batch's loss when it is called, and what the task scores by
    ``log_probs``.
    """
    config, num_bytes = task.config.training, weight_bytes(task.model)
    return [
        Contest(
            "train", unit,
            Rival(lambda: training_step(task, batches), num_items),
            Rival(lambda: plain_step(plain().train(), config, batches), num_items),
            3 * flops, 5 * num_bytes,  # forward, backward, its gradient, and twice for the optimiser
        ),
        Contest(
            "score", unit,
            Rival(lambda: on_each(log_probs, batches, config), num_items),
            Rival(lambda: on_each(plain().log_probs, batches, None), num_items),
            flops, num_bytes,
        ),
    ]  # fmt: skip
