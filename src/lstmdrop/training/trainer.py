"""The trainer: a generator of events that its caller logs, saves and stops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Generic

import torch
from torch import Tensor

from lstmdrop.config import TaskConfig
from lstmdrop.data.batching import after
from lstmdrop.metrics.score import Score, are_better
from lstmdrop.nn.kernel import Kernel
from lstmdrop.task import BatchT, Loss, Replayable, Task
from lstmdrop.training.changes import require_same_data
from lstmdrop.training.checkpoint import Checkpoint, load_random_state, random_state
from lstmdrop.training.device import set_switches, wait_for
from lstmdrop.training.finite import Failure, GradientWatch, NonFiniteError, failed_weights
from lstmdrop.training.gradient import Gradient, GradientSum
from lstmdrop.training.kernels import kernels_of, set_kernels, take_kernels
from lstmdrop.training.optimizer import (
    WeightAverage,
    changes_by_step,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    rate_at,
    scale_and_clip,
)
from lstmdrop.training.pace import Sums, make_pace
from lstmdrop.training.progress import Evaluated, Event, Logged, Progress, Stepped, Validating
from lstmdrop.training.replay import Record, Replay, Update, is_recordable, recorder_on
from lstmdrop.training.sharing import add_up_tallies, carried, draw_own_masks, load_carried, shared_batches
from lstmdrop.training.threads import threads_for
from lstmdrop.training.workers import Workers


class Trainer(Generic[BatchT]):
    """Fits a task's model; everything that the next step depends on is in `state_dict`.

    Several workers each have a trainer, and their steps are those of one. A ``gradient`` may come from elsewhere.
    """

    def __init__(
        self, task: Task[BatchT], config: TaskConfig, workers: Workers | None = None,
        gradient: Gradient[BatchT] | None = None,
    ) -> None:  # fmt: skip
        self.task = task
        self.config = config.training
        self.changes = config.changes
        named = {name: weight for name, weight in task.model.named_parameters() if weight.requires_grad}
        self.names, self.parameters = list(named), list(named.values())
        self.device = self.parameters[0].device
        self.workers = workers or Workers(self.device)
        self.optimizer = make_optimizer(self.config, self.parameters)
        self.gradient: Gradient[BatchT] = gradient or GradientSum(self.parameters, self.config)
        self.average = WeightAverage(self.parameters)
        self.progress = Progress()
        self.looks_at_steps = self.device.type == "cpu"  # elsewhere the host would wait for the device
        self.gradient_norm = torch.zeros((), dtype=self.parameters[0].dtype, device=self.device)
        self.watch = GradientWatch(self.names, self.parameters[0])
        self.epoch_loss, self.logged_loss = (torch.zeros((), dtype=torch.float64, device=self.device) for _ in range(2))
        can_record = self.device.type == "cuda" and self.workers.count == 1 and is_recordable(self.config)
        self.record: Record | None = recorder_on(self.device) if can_record and gradient is None else None
        self._start_pass()
        set_kernels(task.model, self.config, self.device)
        self.has_stepped = False
        set_switches(self.config)
        self.seed = config.seed
        torch.manual_seed(config.seed)

    def run(self) -> Iterator[Event]:
        """Train to the end, or until the caller stops iterating; at each event the state is consistent.

        Raises:
            NonFiniteError: something overflowed; the weights are not to be saved any more.
        """
        with threads_for(self.task, self.device, kernels_of(self.task.model).values()) as self.threads:
            while not self.progress.is_at_the_end(self.config):
                yield from self._train_epoch()
                yield Validating(self.progress.step, self.progress.epoch)
                yield self.validate()

    def step(self, batches: Sequence[BatchT]) -> None:
        """One update of the weights from the summed gradient of ``batches``, which together are one batch.

        Of several workers each has its share of them, or None.
        """
        if changes_by_step(self.config):
            self._set_rate()
        self.progress.step += 1
        self.progress.position += 1
        draw_own_masks(self.workers, self.seed, self.progress.step)
        self.progress.count(self.update(batches))
        if self.config.average_over == "steps" and self.pace.is_settled and self.progress.averages_by(self.config):
            self.average.add()
        if self.workers.count > 1 and not self.has_stepped:  # in which each may have measured another kernel
            self._take_kernels(self.workers.from_first(kernels_of(self.task.model)))
        self.has_stepped = True

    def _update(self, batches: Sequence[BatchT]) -> int:
        """The part of a step that the device does; returns the number of items."""
        divisor, counted = self.pace.before_step(self.gradient.of(self.objective, batches, self.progress))
        self._add_loss(counted)
        pairs = zip(self.names, self.parameters, strict=True)
        gradients = {name: weight.grad for name, weight in pairs if weight.grad is not None}
        norms = torch._foreach_norm(list(gradients.values()))
        self.gradient_norm.copy_(scale_and_clip(list(gradients.values()), norms, max(1, divisor), self.config.clip))
        if self.pace.checks_each_step:
            self.watch.see(dict(zip(gradients, norms, strict=True)), self.gradient_norm, self.epoch_loss)
        if self.looks_at_steps and self.pace.checks_each_step:
            self._require_finite()
        self.optimizer.step()
        self.optimizer.zero_grad()
        settled = self.pace.after_step(self.progress.position, self.gradient_norm)
        self._add_loss(settled)
        return counted.num_items + settled.num_items

    def _add_loss(self, sums: Sums) -> None:
        self.epoch_loss += sums.loss
        self.logged_loss += sums.loss

    def _start_pass(self) -> None:
        """Begin with a fresh objective and, since a recorded step keeps its rate, a fresh recording."""
        self.objective: Callable[[BatchT], Loss] = self.task.objective()
        self.update: Update[BatchT] = self._update
        self.pace = make_pace(self.workers, self.parameters, self.optimizer, self.config.sync_every)
        if self.record is not None and isinstance(self.objective, Replayable) and self.objective.is_replayable:
            self.update = Replay(self._update, self.objective, self.record)

    def state_dict(self) -> Checkpoint:
        """All that the next step depends on; of several workers, which call this together, the first has it whole.

        Raises:
            NonFiniteError: the state is not worth keeping.
        """
        self._require_finite(weights=True)
        groups = {
            "model": self.task.model.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "average": self.average.state_dict(),
            "random": random_state(self.device),
            "objective": carried(self.objective, self.workers),
            "loss": {"epoch": self.epoch_loss, "logged": self.logged_loss, "norm": self.gradient_norm},
        }
        tensors = {f"{group}.{name}": value for group, part in groups.items() for name, value in part.items()}
        about = {"kernels": kernels_of(self.task.model), "data_sha256": self.task.data_sha256()}
        return Checkpoint(tensors, {**self.progress.as_json(), **about})

    def load_state_dict(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``: the next step is the one that an uninterrupted run would have made.

        But for rounding where its kernel cannot run on this machine: then it goes on with another.

        Raises:
            DataError: the data is no longer what it was.
        """
        require_same_data(checkpoint.values["data_sha256"], self.task)
        self._take_kernels(checkpoint.values["kernels"])
        self.progress = Progress.from_json(checkpoint.values)
        self.watch.num_seen = self.progress.step
        self.task.model.load_state_dict(checkpoint.part("model"))
        load_optimizer_tensors(self.optimizer, checkpoint.part("optimizer"))
        self.average.load_state_dict(checkpoint.part("average"))
        self._start_pass()
        load_carried(self.objective, checkpoint.part("objective"), self.workers)
        losses = {name: value.to(self.device) for name, value in checkpoint.part("loss").items()}
        self.epoch_loss, self.logged_loss, self.gradient_norm = losses["epoch"], losses["logged"], losses["norm"]
        load_random_state(checkpoint.part("random"), self.device)
        here = (self.progress.epoch, self.progress.step)
        begun = [change.settings for change in self.changes if (change.epoch, change.step) == here]
        self._begin_anew({key for settings in begun for key in settings})

    def _take_kernels(self, kernels: Mapping[str, Kernel | None]) -> None:
        take_kernels(self.task.model, kernels, self.config, self.device)

    def _begin_anew(self, changed: Iterable[str]) -> None:
        """What was gathered under settings that have changed at this point, and means nothing under the new ones."""
        if any(key.startswith("training.average_") for key in changed):
            self.average, self.progress.averages = WeightAverage(self.parameters), False
        if any(key in ("training.kernel", "training.precision") for key in changed):
            set_kernels(self.task.model, self.config, self.device)

    def scored_weights(self) -> dict[str, Tensor]:
        """The model's state as it was last scored: with the mean of the weights where they are averaged."""
        with self.average.applied():
            return dict(self.task.model.state_dict())

    def begin_epoch(self) -> Iterator[BatchT]:
        """Make ready for the steps of an epoch that are still to be made; gives their batches."""
        self.task.model.train()
        self._set_rate()
        batches = shared_batches(self.task, self.workers, self.progress.epoch)
        return after(batches, self.progress.position * self.config.accumulate)

    def _train_epoch(self) -> Iterator[Event]:
        progress, remaining = self.progress, self.begin_epoch()
        started, is_due = time.perf_counter(), False
        while group_of_batches := list(islice(remaining, self.config.accumulate)):
            num_items = progress.items
            self.step(group_of_batches)
            self.threads.note(progress.items - num_items, time.perf_counter() - started)
            is_due = is_due or progress.step % self.config.log_every == 0
            if is_due and self.pace.is_settled:
                wait_for(self.device)  # within the time that is counted
            now = time.perf_counter()
            progress.seconds, started = progress.seconds + now - started, now
            if is_due and self.pace.is_settled:
                yield self.log()  # before the step's own event, at which a caller saves: a saved step is a logged one
                is_due = False
            yield Stepped(progress.step, progress.epoch)
            started = time.perf_counter()
        settled = self.pace.settle(self.gradient_norm)
        progress.count(settled.num_items)
        self._add_loss(settled)
        wait_for(self.device)
        progress.seconds += time.perf_counter() - started

    def log(self) -> Logged:
        """How training went since this was last asked."""
        self._require_finite()
        progress = self.progress
        event = Logged(
            step=progress.step,
            epoch=progress.epoch,
            loss=float(self.logged_loss) / max(1, progress.logged_items),
            rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=float(self.gradient_norm),
            tokens_per_second=progress.logged_items / (progress.seconds - progress.logged_seconds),
            seconds=progress.seconds,
            num_parts=progress.num_parts,
            num_threads=torch.get_num_threads(),
        )
        self.logged_loss.zero_()
        progress.start_log_interval()
        return event

    def validate(self) -> Evaluated:
        """Score the model at the end of an epoch, and stand at the start of the next one."""
        self._require_finite(weights=True)
        self.task.model.eval()
        if self.config.average_over == "epochs" and self.progress.averages_by(self.config):
            self.average.add()
        add_up_tallies(self.task, self.workers)
        with self.average.applied():
            own: Sequence[Score] = self.task.evaluate("valid") if self.workers.is_first else []
            scores = self.workers.from_first(own)
        progress = self.progress
        if not math.isfinite(scores[0].value):
            raise self._not_finite(Failure(progress.step, f"the score {scores[0].name} is {scores[0].value}"))
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
        share = self.progress.share(self._steps_per_epoch, self.config) if changes_by_step(self.config) else 1.0
        return rate_at(self.config, self.progress.epoch, share, self.progress.num_drops)

    @cached_property
    def _steps_per_epoch(self) -> int:
        return -(-self.task.num_batches("train") // self.config.accumulate)

    def _require_finite(self, *, weights: bool = False) -> None:
        """Look at the loss and its gradient, of all steps since this was last asked, and at the weights.

        Raises:
            NonFiniteError: they were not finite; the first step and the first parameter are named.
        """
        step, named = self.progress.step, zip(self.names, self.parameters, strict=True)
        if failure := self.watch.failure(step) or (failed_weights(step, named) if weights else None):
            raise self._not_finite(failure)

    def _not_finite(self, failure: Failure) -> NonFiniteError:
        progress, rate = self.progress, self.optimizer.param_groups[0]["lr"]
        place, batches = progress.position - (progress.step - failure.step) - 1, []
        if failure.parameter is not None and place >= 0:  # made again, as on a device later steps have been taken
            made = self.task.batches("train", epoch=progress.epoch)
            batches = list(islice(after(made, place * self.config.accumulate), self.config.accumulate))
        return NonFiniteError(failure, progress.epoch, rate, batches)
