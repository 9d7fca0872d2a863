"""The contract between the trainer and a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from lstmdrop.config import Split
from lstmdrop.data.batching import Share
from lstmdrop.metrics.score import Score

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, slots=True)
class Loss:
    """A summed loss, so that means can be pooled exactly."""

    total: Tensor
    """Negative log-likelihood summed over the items, in nats; its gradient is followed."""
    count: int
    """Over so many items (tokens, frames)."""
    divisor: int
    """What the gradient divides the total by: the batch size in the paper's recipe, the count for a mean.

    It is summed over the workers that share a batch, so where nothing counts it is 0, as is ``count``."""
    plain: Tensor | None = None
    """The summed negative log-likelihood where ``total`` is another one, say of smoothed labels; it is logged."""


@runtime_checkable
class Stateful(Protocol):
    """An objective that carries something from batch to batch, such as the LSTM's state."""

    def state_dict(self) -> dict[str, Tensor]:
        """What the next batch depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        ...


@runtime_checkable
class Replayable(Stateful, Protocol):
    """An objective whose step a device may be able to record and repeat."""

    is_replayable: bool
    """Whether it can: it never makes the host wait, and its shapes stay."""


@runtime_checkable
class CarriesStreams(Stateful, Protocol):
    """A stateful objective of streams: what it carries has a row for each of them, so that workers can share it."""

    stream_axis: int
    """Of its tensors."""


@runtime_checkable
class Shareable(Protocol):
    """A task whose batches can be dealt out to several workers; others are trained by one."""

    @property
    def most_workers(self) -> int | None:
        """So many at most; None: any number, of which some have nothing to do where a batch is small."""
        ...

    def shared_batches(self, share: Share, *, epoch: int = 0) -> Iterable[Any]:
        """Of each training batch of `Task.batches` one worker's share of its items; None where that is empty."""
        ...


@runtime_checkable
class Tallies(Protocol):
    """A task that counts something while it is trained, which its scores tell; workers add up theirs."""

    tally: int


@runtime_checkable
class ScoresSplits(Protocol):
    """A task that says itself which splits a finished run is scored on; others are scored on valid and test."""

    @property
    def scored_splits(self) -> Sequence[Split]:
        """In the order in which they are scored."""
        ...


@runtime_checkable
class CountsUnknown(Protocol):
    """A task that can say how much of its data its vocabulary lacks."""

    unit: str
    """What is counted, in the plural: tokens, say."""

    def num_unknown(self, split: Split) -> tuple[int, int]:
        """How many of a split are unknown, and of how many."""
        ...


@dataclass(frozen=True, slots=True)
class Labels:
    """What a field of a batch may hold: numbers from 0 on."""

    number: int
    """How many there are."""
    none: tuple[int, ...] = ()
    """Other values, which stand for none: padding."""


@runtime_checkable
class HasLabels(Protocol):
    """A task whose batches hold labels, so that those that it does not have are found before a network meets them."""

    @property
    def labels(self) -> Mapping[str, Labels]:
        """By field of a batch."""
        ...


@runtime_checkable
class SumsOneWay(Protocol):
    """A task that can say whether it trains to the same bits on any number of threads, on oneDNN's kernels."""

    @property
    def sums_one_way(self) -> bool:
        """Whether each sum of it is one thread's."""
        ...


@runtime_checkable
class PassesMemory(Protocol):
    """A task that can say what a training step needs for a moment beside what it keeps for its backward pass."""

    @property
    def passing_bytes(self) -> int:
        """Of memory, at most, for one part of a batch."""
        ...


@runtime_checkable
class GoesBack(Protocol):
    """A task that may go back to the data that it was trained on while other data is scored."""

    trained_on: str
    """Its name, or its path."""


@runtime_checkable
class RecallsOutputs(Protocol):
    """A task that can score what a model answered before, where its weights were not kept."""

    def recall(self, outputs: Mapping[Split, Path]) -> None:
        """Take the answers that lie in these folders, where `Task.evaluate` wrote them, in place of the model's."""
        ...


class Task(Protocol[BatchT]):
    """A built task: a model on its device, its data, its loss and its scores."""

    @property
    def model(self) -> nn.Module:
        """The network, on its device."""
        ...

    def batches(self, split: Split, *, epoch: int = 0) -> Iterable[BatchT]:
        """The batches of one pass, in an order that ``epoch`` and the seed alone determine.

        Of a sequence (see `lstmdrop.data.batching`) a run that goes on makes only those that it has not seen.
        """
        ...

    def num_batches(self, split: Split) -> int:
        """How many batches one pass has."""
        ...

    def objective(self) -> Callable[[BatchT], Loss]:
        """A fresh loss function for one pass; it may carry state from batch to batch (see `Stateful`)."""
        ...

    def evaluate(self, split: Split, *, outputs: Path | None = None) -> Sequence[Score]:
        """The scores of a split; the first one selects the best checkpoint.

        What was scored (log-probabilities, predictions) is written into the folder ``outputs``, if given.
        """
        ...

    def summary(self) -> Mapping[str, str]:
        """What a user wants to know before training starts, such as the sizes of splits and vocabulary."""
        ...

    def data_sha256(self) -> str:
        """Identity of the data that is trained and scored on."""
        ...
