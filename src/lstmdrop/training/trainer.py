"""The trainer: a generator of events that its caller logs, saves and stops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Generic

import torch
from torch import Tensor

from lstmdrop.config import TaskConfig
from lstmdrop.errors import LstmdropError
from lstmdrop.metrics.score import are_better
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.task import BatchT, Loss, Replayable, Stateful, Task
from lstmdrop.training.changes import require_same_data
from lstmdrop.training.checkpoint import Checkpoint, load_random_state, random_state
from lstmdrop.training.device import autocast, set_switches, usable_kernels
from lstmdrop.training.optimizer import (
    WeightAverage,
    changes_by_step,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    rate_at,
    scale_and_clip,
)
from lstmdrop.training.progress import Evaluated, Event, Logged, Progress, Stepped, Validating
from lstmdrop.training.replay import Record, Replay, Update, recorder_on

log = logging.getLogger("lstmdrop.training")


class NonFiniteError(LstmdropError):
    """The loss, its gradient, a weight or the score is no longer a number."""


class Trainer(Generic[BatchT]):
    """Fits a task's model; everything that the next step depends on is in `state_dict`."""

    def __init__(self, task: Task[BatchT], config: TaskConfig) -> None:
        self.task = task
        self.config = config.training
        self.changes = config.changes
        self.parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        self.device = self.parameters[0].device
        self.optimizer = make_optimizer(self.config, self.parameters)
        self.average = WeightAverage(self.parameters)
        self.progress = Progress()
        self.gradient_norm = torch.zeros((), dtype=self.parameters[0].dtype, device=self.device)
        self.epoch_loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self.logged_loss = torch.zeros((), dtype=torch.float64, device=self.device)
        # AdamW counts its steps on the host, where a recording does not see them.
        can_record = self.config.replay and self.config.optimizer == "sgd" and self.device.type == "cuda"
        can_record = can_record and not changes_by_step(self.config)  # a recorded step keeps its rate
        self.record: Record | None = recorder_on(self.device) if can_record else None
        self._start_pass()
        if self.config.kernel != "auto":
            for lstm in self._lstms().values():
                lstm.kernel = self.config.kernel
        set_switches(self.config)
        torch.manual_seed(config.seed)

    def run(self) -> Iterator[Event]:
        """Train to the end, or until the caller stops iterating; at each event the state is consistent.

        Raises:
            NonFiniteError: something overflowed; the weights are not to be saved any more.
        """
        while self.progress.epoch <= self.config.epochs and not self._out_of_patience():
            yield from self._train_epoch()
            yield Validating(self.progress.step, self.progress.epoch)
            yield self._validate()

    def step(self, batches: Sequence[BatchT]) -> None:
        """One update of the weights from the summed gradient of ``batches``, which together are one batch."""
        if changes_by_step(self.config):
            self._set_rate()
        self.progress.step += 1
        self.progress.position += 1
        self.progress.count(self.update(batches))
        if self.config.average_over == "steps" and self._averages():
            self.average.add()

    def _update(self, batches: Sequence[BatchT]) -> int:
        """The part of a step that the device does; returns the number of items."""
        divisor = num_items = 0
        for batch in batches:
            with autocast(self.config, self.device):
                loss = self.objective(batch)
            loss.total.backward()  # type: ignore[no-untyped-call]
            divisor, num_items = divisor + loss.divisor, num_items + loss.count
            plain = loss.total if loss.plain is None else loss.plain
            self.epoch_loss += plain.detach()
            self.logged_loss += plain.detach()
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.gradient_norm.copy_(scale_and_clip(gradients, divisor, self.config.clip))
        if self.device.type == "cpu":  # elsewhere looking would make the host wait for the device
            self._require_finite()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return num_items

    def _start_pass(self) -> None:
        """Begin with a fresh objective and, since a recorded step keeps its rate, a fresh recording."""
        self.objective: Callable[[BatchT], Loss] = self.task.objective()
        self.update: Update[BatchT] = self._update
        if self.record is not None and isinstance(self.objective, Replayable):
            self.update = Replay(self._update, self.objective, self.record)

    def state_dict(self) -> Checkpoint:
        """All that the next step depends on.

        Raises:
            NonFiniteError: the state is not worth keeping.
        """
        self._require_finite(*self.parameters)
        groups = {
            "model": self.task.model.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "average": self.average.state_dict(),
            "random": random_state(self.device),
            "objective": self.objective.state_dict() if isinstance(self.objective, Stateful) else {},
            "loss": {"epoch": self.epoch_loss, "logged": self.logged_loss, "norm": self.gradient_norm},
        }
        tensors = {f"{group}.{name}": value for group, part in groups.items() for name, value in part.items()}
        values = {**self.progress.as_json(), "kernels": self.kernels(), "data_sha256": self.task.data_sha256()}
        return Checkpoint(tensors, values)

    def load_state_dict(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``: the next step is the one that an uninterrupted run would have made.

        But for rounding where its kernel cannot run on this machine: then the next step measures another.

        Raises:
            DataError: the data is no longer what it was.
        """
        values = dict(checkpoint.values)
        require_same_data(values["data_sha256"], self.task)
        self._take_kernels(values["kernels"])
        self.progress = Progress.from_json(values)
        self.task.model.load_state_dict(checkpoint.part("model"))
        load_optimizer_tensors(self.optimizer, checkpoint.part("optimizer"))
        self.average.load_state_dict(checkpoint.part("average"))
        self._start_pass()
        if isinstance(self.objective, Stateful):
            self.objective.load_state_dict(checkpoint.part("objective"))
        losses = {name: value.to(self.device) for name, value in checkpoint.part("loss").items()}
        self.epoch_loss, self.logged_loss, self.gradient_norm = losses["epoch"], losses["logged"], losses["norm"]
        load_random_state(checkpoint.part("random"), self.device)
        for change in self.changes:
            if (change.epoch, change.step) == (self.progress.epoch, self.progress.step):
                self._begin_anew(change.settings)

    def _begin_anew(self, changed: Iterable[str]) -> None:
        """What was gathered under settings that have changed at this point, and means nothing under the new ones."""
        if any(key.startswith("training.average_") for key in changed):
            self.average, self.progress.averages = WeightAverage(self.parameters), False
        if any(key in ("training.kernel", "training.precision") for key in changed):
            for lstm in self._lstms().values():
                lstm.kernel = None if self.config.kernel == "auto" else self.config.kernel

    def kernels(self) -> dict[str, Kernel | None]:
        """By the name of each LSTM the fused kernel of its training; None where none has been measured yet."""
        return {name: lstm.kernel for name, lstm in self._lstms().items()}

    def _take_kernels(self, kernels: Mapping[str, Kernel | None]) -> None:
        """Those that the run was trained on so far; where one cannot run here, the next step measures another."""
        usable = (None, *usable_kernels(self.config, self.device))
        for name, lstm in self._lstms().items():
            lstm.kernel = kernels.get(name) if kernels.get(name) in usable else None
        if gone := sorted({str(kernel) for kernel in kernels.values() if kernel not in usable}):
            log.warning(
                "the run was trained on the kernel %s, which cannot run on this machine: it goes on with another, "
                "whose numbers differ in their last digits",
                " and ".join(gone),
            )

    def scored_weights(self) -> dict[str, Tensor]:
        """The model's state as it was last scored: with the mean of the weights where they are averaged."""
        with self.average.applied():
            return dict(self.task.model.state_dict())

    def _train_epoch(self) -> Iterator[Event]:
        progress = self.progress
        self.task.model.train()
        self._set_rate()
        batches = self.task.batches("train", epoch=progress.epoch)
        remaining = _after(batches, progress.position * self.config.accumulate)
        started = time.perf_counter()
        while group_of_batches := list(islice(remaining, self.config.accumulate)):
            self.step(group_of_batches)
            if progress.step % self.config.log_every == 0:
                self._wait_for_device()  # within the time that is counted
            now = time.perf_counter()
            progress.seconds, started = progress.seconds + now - started, now
            if progress.step % self.config.log_every == 0:
                yield self._log()  # before the step's own event, at which a caller saves: a saved step is a logged one
            yield Stepped(progress.step, progress.epoch)
            started = time.perf_counter()
        self._wait_for_device()
        progress.seconds += time.perf_counter() - started

    def _wait_for_device(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _log(self) -> Logged:
        self._require_finite()
        progress = self.progress
        event = Logged(
            step=progress.step,
            epoch=progress.epoch,
            loss=float(self.logged_loss) / progress.logged_items,
            rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=float(self.gradient_norm),
            tokens_per_second=progress.logged_items / (progress.seconds - progress.logged_seconds),
            seconds=progress.seconds,
        )
        self.logged_loss.zero_()
        progress.start_log_interval()
        return event

    def _validate(self) -> Evaluated:
        self._require_finite(*self.parameters)
        self.task.model.eval()
        if self.config.average_over == "epochs" and self._averages():
            self.average.add()
        with self.average.applied():
            scores = self.task.evaluate("valid")
        self._require_finite(torch.tensor(scores[0].value))
        progress = self.progress
        is_best = not progress.best or are_better(scores, progress.best)
        event = Evaluated(
            step=progress.step,
            epoch=progress.epoch,
            split="valid",
            scores=scores,
            training_loss=float(self.epoch_loss) / max(progress.epoch_items, 1),
            is_best=is_best,
        )
        progress.note(scores[0], is_best, self.config)
        progress.start_epoch(scores if is_best else ())
        self.epoch_loss.zero_()
        self._start_pass()
        return event

    def _set_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()

    def rate(self) -> float:
        """That of the next step, as the schedule has it."""
        progress, share = self.progress, 1.0
        if changes_by_step(self.config):
            in_epoch = min(1.0, (progress.position + 0.5) / self._steps_per_epoch)
            share = (progress.epoch - 1 + in_epoch) / self.config.epochs
        return rate_at(self.config, progress.epoch, share, progress.num_drops)

    @cached_property
    def _steps_per_epoch(self) -> int:
        return -(-self.task.num_batches("train") // self.config.accumulate)

    def _averages(self) -> bool:
        first = self.config.average_from
        return self.progress.averages or (first is not None and self.progress.epoch >= first)

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return patience is not None and self.progress.epochs_since_best >= patience

    def _require_finite(self, *further: Tensor) -> None:
        if not all(bool(value.isfinite().all()) for value in (self.epoch_loss, self.gradient_norm, *further)):
            raise NonFiniteError(
                f"step {self.progress.step}: the loss, its gradient, a weight or the score is not finite "
                f"(epoch {self.progress.epoch}, rate {self.optimizer.param_groups[0]['lr']:g}); "
                "the checkpoints hold the last good state. Try a lower training.rate or training.clip."
            )

    def _lstms(self) -> dict[str, RegularizedLSTM]:
        modules = self.task.model.named_modules()
        return {name: module for name, module in modules if isinstance(module, RegularizedLSTM)}


def _after(batches: Iterable[BatchT], num_seen: int) -> Iterator[BatchT]:
    """What comes after the first batches; those of a sequence are not made again."""
    if isinstance(batches, Sequence):
        return iter(batches[num_seen:])
    return islice(batches, num_seen, None)
