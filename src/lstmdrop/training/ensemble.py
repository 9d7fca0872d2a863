"""Several trainings of one network, of different seeds, in steps of all: one gradient is computed for all at once.

Each member is a trainer of its own, with its own schedule, clipping, optimiser and scores. Only the weights lie side by
side in memory, so that a task can compute the losses of all with batched products; a trainer sees its slices of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor

from lstmdrop.nn.stacked import Each
from lstmdrop.task import Loss, Replayable, Stateful
from lstmdrop.training.device import wait_for
from lstmdrop.training.finite import NonFiniteError
from lstmdrop.training.gradient import GradientSum
from lstmdrop.training.kernels import set_stacked
from lstmdrop.training.pace import NOTHING, Sums
from lstmdrop.training.progress import Event, Progress, Stepped, Validating
from lstmdrop.training.replay import Replay, Update, is_recordable, recorder_on
from lstmdrop.training.trainer import Trainer

Round = Sequence[tuple[int, Event]]
"""What happens to members at the same time, by their numbers."""


class Stack(Protocol):
    """A task's losses of several models as one."""

    def __call__(
        self, objectives: Sequence[Any], weights: Mapping[str, Tensor], each: Each, /
    ) -> Callable[[Any], Loss]:
        """Of stacked batches: ``total`` is the sum, ``plain`` has the loss of each, the other numbers are those of one.

        ``objectives`` are those of the members' tasks; what they carry from batch to batch is theirs.
        """
        ...


class GivenGradient:
    """A member's: it lies in the weights already when its trainer makes a step."""

    def __init__(self) -> None:
        self.sums = NOTHING
        self.num_parts = 1

    def of(self, objective: Any, batches: Sequence[Any], progress: Progress) -> Sums:
        """The sums that belong to it."""
        progress.num_parts = self.num_parts
        return self.sums


class Randomness:
    """The random numbers of several trainings in one process: those that one draws move no other's on.

    They are the CPU's. On a GPU all draw from its one generator, one after the other.
    """

    def __init__(self) -> None:
        self._states: list[Tensor] = []

    def add_present(self) -> None:
        """One more training, whose numbers are those that would be drawn now."""
        self._states.append(torch.get_rng_state())

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        """Inside, one training's are drawn."""
        torch.set_rng_state(self._states[number])
        try:
            yield
        finally:
            self._states[number] = torch.get_rng_state()

    def state(self, number: int) -> Tensor:
        """That of one training's generator."""
        return self._states[number]

    def set_state(self, number: int, state: Tensor) -> None:
        """Let its next numbers be those that followed `state`."""
        self._states[number] = state


class Ensemble:
    """Trains the members that are not at their end, all in one step.

    Each trainer has a `GivenGradient`; ``randomness`` has theirs.
    """

    def __init__(self, trainers: Sequence[Trainer[Any]], randomness: Randomness, stack: Stack) -> None:
        self.trainers = trainers
        self.randomness = randomness
        self._stack = stack
        for trainer in trainers:
            set_stacked(trainer.task.model)

    def run(self) -> Iterator[Round]:
        """Train to the end of all, or until the caller stops iterating; at each round all states are consistent.

        Raises:
            NonFiniteError: the numbers of a member, which is named, are none.
        """
        while going := [
            number for number, one in enumerate(self.trainers) if not one.progress.is_at_the_end(one.config)
        ]:
            with _SideBySide(self.trainers, going, self.randomness, self._stack) as together:
                yield from self._train_epoch(together)
            first = self.trainers[going[0]].progress
            yield [(number, Validating(first.step, first.epoch)) for number in going]
            yield [(number, self._of(number, self.trainers[number].validate)) for number in going]

    def _train_epoch(self, together: _SideBySide) -> Iterator[Round]:
        going, trainers = together.numbers, together.trainers
        first, config = trainers[0].progress, trainers[0].config
        remaining = [trainer.begin_epoch() for trainer in trainers]
        started = time.perf_counter()
        while all(groups := [list(islice(batches, config.accumulate)) for batches in remaining]):
            together.compute(groups)
            for number, trainer, group in zip(going, trainers, groups, strict=True):
                self._of(number, partial(trainer.step, group))
            is_due = first.step % config.log_every == 0
            if is_due:
                wait_for(trainers[0].device)
            now = time.perf_counter()
            for trainer in trainers:
                trainer.progress.seconds += now - started
            started = now
            if is_due:
                yield [(number, self._of(number, trainer.log)) for number, trainer in zip(going, trainers, strict=True)]
            yield [(number, Stepped(first.step, first.epoch)) for number in going]
            started = time.perf_counter()

    def _of(self, number: int, act: Callable[[], Any]) -> Any:
        try:
            with self.randomness.of(number):
                return act()
        except NonFiniteError as error:
            error.member = number
            raise


class _SideBySide:
    """Some members within an epoch: their weights lie in one tensor for each name, until the block ends."""

    def __init__(
        self, trainers: Sequence[Trainer[Any]], numbers: Sequence[int], randomness: Randomness, stack: Stack
    ) -> None:
        self.numbers = numbers
        self.trainers = [trainers[number] for number in numbers]
        self._randomness = randomness
        self._make = stack

    def __enter__(self) -> _SideBySide:
        first = self.trainers[0]
        members = list(zip(*(trainer.parameters for trainer in self.trainers), strict=True))
        self._weights = []
        for parameters in members:
            weight = torch.stack([parameter.data for parameter in parameters])
            for parameter, own in zip(parameters, weight.unbind(), strict=True):
                parameter.data = own
            self._weights.append(weight.requires_grad_())
        named = dict(zip(first.names, self._weights, strict=True))
        objectives = [trainer.objective for trainer in self.trainers]
        self._loss = self._make(objectives, named, self._each)
        self._gradient: GradientSum[Any] = GradientSum(self._weights, first.config, len(self.trainers))
        self._divisor = 0
        self._update: Update[Any] = self._sum
        can_record = first.device.type == "cuda" and is_recordable(first.config)
        if can_record and isinstance(objectives[0], Replayable):
            self._update = Replay(self._sum, self, recorder_on(first.device))
        return self

    def __exit__(self, *error: object) -> None:
        for trainer in self.trainers:
            for parameter in trainer.parameters:  # aligned as those of a model that is alone
                parameter.data, parameter.grad = parameter.data.clone(), None

    def __call__(self, batch: Any) -> Loss:
        """The losses of all on a stacked batch."""
        return self._loss(batch)

    def compute(self, groups: Sequence[Sequence[Any]]) -> None:
        """Give each member its gradient of its own group of batches."""
        num_items = self._update([_stacked(batches) for batches in zip(*groups, strict=True)])
        for number, trainer in enumerate(self.trainers):
            given = trainer.gradient
            assert isinstance(given, GivenGradient)
            given.sums = Sums(self._gradient.loss[number], num_items, self._divisor)
            given.num_parts = self.trainers[0].progress.num_parts
            for parameter, weight in zip(trainer.parameters, self._weights, strict=True):
                parameter.grad = None if weight.grad is None else weight.grad[number]

    def _sum(self, batches: Sequence[Any]) -> int:
        for weight in self._weights:
            if weight.grad is not None:
                weight.grad.zero_()  # in its place, where a recorded step adds to it
        sums = self._gradient.of(self, batches, self.trainers[0].progress)
        self._divisor = sums.divisor
        return sums.num_items

    def _each(self, function: Callable[..., Any], *parts: Tensor) -> list[Any]:
        found = []
        for number, own in zip(self.numbers, zip(*parts, strict=True), strict=True):
            with self._randomness.of(number):
                found.append(function(*own))
        return found

    def state_dict(self) -> dict[str, Tensor]:
        """What the losses carry, for one who tries a step again or repeats a recorded one."""
        state = {f"random.{number}": self._randomness.state(number) for number in self.numbers}
        for number, objective in self._carrying():
            state |= {f"{number}.{name}": value for name, value in objective.state_dict().items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        for number in self.numbers:
            self._randomness.set_state(number, state[f"random.{number}"])
        for number, objective in self._carrying():
            start = f"{number}."
            objective.load_state_dict(
                {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
            )

    def _carrying(self) -> Iterable[tuple[int, Stateful]]:
        for number, trainer in zip(self.numbers, self.trainers, strict=True):
            if isinstance(trainer.objective, Stateful):
                yield number, trainer.objective


def _stacked(batches: Sequence[Any]) -> Any:
    """Named tuples of tensors and of what is the same in all, as one whose tensors have a first axis more."""
    fields = zip(*batches, strict=True)
    return type(batches[0])(*(torch.stack(list(own)) if isinstance(own[0], Tensor) else own[0] for own in fields))
