"""An LSTM taken step by step, for a network whose next input depends on its last output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lstmdrop.nn.recurrence import LayerWeights, LSTMState, Noise, cell


@dataclass(frozen=True, slots=True)
class Unrolled:
    """One pass of a `RegularizedLSTM` with all its masks drawn, so that every dropout rule acts as in a whole pass."""

    weights: Sequence[LayerWeights]
    masks: Sequence[Sequence[Tensor] | None]
    """By position (each layer's input, then the top output), by step; None where nothing is dropped."""
    noises: Sequence[Sequence[Noise]]
    """By layer, by step."""

    def step(
        self, t: int, inputs: Float[Tensor, "batch features"], state: LSTMState
    ) -> tuple[Float[Tensor, "batch hidden"], LSTMState]:
        """The top output of step ``t``, and the state after it."""
        states = []
        for number, (weights, *old) in enumerate(zip(self.weights, *state, strict=True)):
            bias = weights.input_bias + weights.recurrent_bias
            product = F.linear(self._masked(number, t, inputs), weights.input, bias)
            new = cell(product, weights.recurrent, LSTMState(*old), self.noises[number][t])
            states.append(new)
            inputs = new.hidden
        hidden, memory = (torch.stack(part) for part in zip(*states, strict=True))
        return self._masked(len(self.weights), t, inputs), LSTMState(hidden, memory)

    def _masked(self, position: int, t: int, inputs: Tensor) -> Tensor:
        masks = self.masks[position]
        return inputs if masks is None else inputs * masks[t]
