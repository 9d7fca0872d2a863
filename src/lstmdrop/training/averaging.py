"""The mean of an epoch's last weights with those of the epochs before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """A running mean, scored and kept in place of the weights, while training goes on from the weights.

    Source: checkpoint averaging as in Vaswani et al. 2017, section 6.1; Ruppert's and Polyak's before that.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.means: list[Tensor] = []
        self.count = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take the weights as they are now into the mean."""
        self.count += 1
        if not self.means:
            self.means = [parameter.clone() for parameter in self.parameters]
        else:
            torch._foreach_lerp_(self.means, list(self.parameters), 1 / self.count)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the mean for its weights, if there is one yet."""
        weights = [parameter.data for parameter in self.parameters]
        try:
            for parameter, mean in zip(self.parameters, self.means or weights, strict=True):
                parameter.data = mean
            yield
        finally:
            for parameter, weight in zip(self.parameters, weights, strict=True):
                parameter.data = weight

    def state_dict(self) -> dict[str, Tensor]:
        """What the next mean depends on."""
        return {"count": torch.tensor(self.count), **{str(number): mean for number, mean in enumerate(self.means)}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        self.count = int(state["count"])
        self.means = [state[str(number)].to(self.parameters[number].device) for number in range(len(state) - 1)]
