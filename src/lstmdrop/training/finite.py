"""What is said and kept when the numbers of a training fail: the step, the first parameter, the batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lstmdrop.errors import LstmdropError


class Failure(NamedTuple):
    """What is not finite, and since when."""

    step: int
    said: str
    parameter: str | None = None
    """The first one concerned, in the model's order; None for a score."""


class NonFiniteError(LstmdropError):
    """The loss, its gradient, a weight or the score is no longer a number."""

    def __init__(self, failure: Failure, epoch: int, rate: float, batches: Sequence[Any] = ()) -> None:
        super().__init__(
            f"step {failure.step}: {failure.said} (epoch {epoch}, rate {rate:g}); "
            "the checkpoints hold the last good state. Try a lower training.rate or training.clip."
        )
        self.about = {**failure._asdict(), "epoch": epoch, "rate": rate}
        self.batches = batches
        """Those of the step, where it is one that failed."""
        self.member = 0
        """Of several models that are trained at once, the number of the one concerned."""

    def add_line(self, line: str) -> None:
        """Say more."""
        self.args = (f"{self}\n{line}",)


class GradientWatch:
    """Keeps the norms of the first gradient that is not finite where they are: a device is not waited for.

    ``names`` are those of the parameters, in the model's order; ``like`` is one of them.
    """

    def __init__(self, names: Sequence[str], like: Tensor) -> None:
        self.names = list(names)
        self.norms = torch.zeros(len(self.names), dtype=like.dtype, device=like.device)
        self.failed = torch.zeros((), dtype=torch.bool, device=like.device)
        self.num_good = torch.zeros((), dtype=torch.long, device=like.device)
        self.num_seen = 0
        """Steps that have been asked about."""

    def see(self, norms: Mapping[str, Tensor], *values: Tensor) -> None:
        """Note one step: the norm of each gradient that there is, and what else has to be finite."""
        zero = self.norms.new_zeros(())
        now = torch.stack([norms.get(name, zero) for name in self.names])
        is_good = torch.stack([now.isfinite().all(), *(value.isfinite().all() for value in values)]).all()
        self.norms.copy_(torch.where(self.failed, self.norms, now))
        self.failed |= ~is_good
        self.num_good += ~self.failed

    def failure(self, step: int) -> Failure | None:
        """What failed first among the steps up to this one that have not been asked about; None if nothing did."""
        num_good = int(self.num_good)
        self.num_good.zero_()
        if not bool(self.failed):
            self.num_seen = step
            return None
        return Failure(min(self.num_seen + num_good + 1, step), *self._described())

    def _described(self) -> tuple[str, str]:
        failed = [name for name, is_fine in zip(self.names, self.norms.isfinite().tolist(), strict=True) if not is_fine]
        if not failed:
            largest = self.names[int(self.norms.argmax())]
            return f"the loss or the norm of its gradient is not finite, the largest part that of {largest}", largest
        others = f", as that of {len(failed) - 1} more of {len(self.names)} parameters" if len(failed) > 1 else ""
        return f"the gradient of {failed[0]} is not finite{others}", failed[0]


def failed_weights(step: int, weights: Iterable[tuple[str, Tensor]]) -> Failure | None:
    """The first of these that holds an infinity or NaN after ``step``; None if there is none."""
    for name, weight in weights:
        if not bool(weight.isfinite().all()):
            return Failure(step, f"the weights {name} are not finite", name)
    return None


def batch_tensors(batches: Sequence[Any]) -> dict[str, Tensor]:
    """The tensors of batches (named tuples, dataclasses, mappings) by ``number.field``; what is none is left out."""
    found = {}
    for number, batch in enumerate(batches):
        for name, value in _fields(batch).items():
            if isinstance(value, Tensor):
                found[f"{number}.{name}"] = value.detach().clone()  # fields may share memory, which files may not
    return found


def _fields(batch: Any) -> Mapping[str, Any]:
    if isinstance(batch, Mapping):
        return batch
    if hasattr(batch, "_asdict"):
        return dict(batch._asdict())
    if is_dataclass(batch) and not isinstance(batch, type):
        return asdict(batch)
    values = batch if isinstance(batch, Sequence) else [batch]
    return {str(place): value for place, value in enumerate(values)}
