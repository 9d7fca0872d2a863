"""An LSTM taken step by step, for a network whose next input depends on its last output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lstmdrop.nn.recurrence import LayerWeights, LSTMState, Noise, cell
from lstmdrop.nn.shapes import require_shape
from lstmdrop.nn.shared_factor import SharedFactor


class UnrolledLayer:
    """One layer of a pass, with its noise at each step."""

    def __init__(self, weights: LayerWeights, noises: Sequence[Noise]) -> None:
        self.input = SharedFactor(weights.input.t())
        self.recurrent = SharedFactor(weights.recurrent.t())
        self.bias = weights.input_bias + weights.recurrent_bias
        self.noises = noises

    def step(self, t: int, inputs: Tensor, state: LSTMState) -> LSTMState:
        """The state after step ``t``."""
        return cell(self.input(inputs) + self.bias, self.recurrent, state, self.noises[t])


@dataclass(frozen=True, slots=True)
class Unrolled:
    """One pass of a `RegularizedLSTM` with all its masks drawn, so that every dropout rule acts as in a whole pass."""

    layers: Sequence[UnrolledLayer]
    masks: Sequence[Sequence[Tensor] | None]
    """By position (each layer's input, then the top output), by step; None where nothing is dropped."""
    inputs_shape: tuple[int, int]
    state_shape: tuple[int, int, int]

    def step(
        self, t: int, inputs: Float[Tensor, "batch features"], state: LSTMState
    ) -> tuple[Float[Tensor, "batch hidden"], LSTMState]:
        """The top output of step ``t``, and the state after it.

        Raises:
            ValueError: a shape is another than that of the pass.
        """
        require_shape("inputs", inputs, self.inputs_shape)
        for part in state:
            require_shape("state", part, self.state_shape)
        states = []
        for number, (layer, *old) in enumerate(zip(self.layers, *state, strict=True)):
            states.append(layer.step(t, self._masked(number, t, inputs), LSTMState(*old)))
            inputs = states[-1].hidden
        hidden, memory = (torch.stack(part) for part in zip(*states, strict=True))
        return self._masked(len(self.layers), t, inputs), LSTMState(hidden, memory)

    def _masked(self, position: int, t: int, inputs: Tensor) -> Tensor:
        masks = self.masks[position]
        return inputs if masks is None else inputs * masks[t]
