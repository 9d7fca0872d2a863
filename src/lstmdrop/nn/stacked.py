"""The LSTMs of several networks as one: every product of theirs is one batched product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import SILENT, LayerWeights, LSTMState, Noise, narrowed, stacked
from lstmdrop.nn.rules import unchanged
from lstmdrop.nn.scan import scan

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


Each = Callable[..., list[Any]]
"""Calls a function for each network with its part of the tensors that follow, by its own random numbers.

The networks are in the order of the first axis of these tensors, and so is what the function gives.
"""


class StackedLSTM:
    """Several `RegularizedLSTM` of one shape and one rule in training; ``weights`` are theirs by name, on a first axis.

    What a rule draws, it draws for each network from that network's own numbers and in the order in which its LSTM
    alone would: so each has the masks that it would have had.
    """

    def __init__(self, lstms: Sequence[RegularizedLSTM], weights: Mapping[str, Tensor], each: Each) -> None:
        self.regularizer = lstms[0].regularizer
        self.layers = [
            LayerWeights(*(weights[f"layers.{number}.{name}"] for name in NAMES))
            for number in range(len(lstms[0].layers))
        ]
        self.each = each

    def initial_state(self, batch_size: int) -> LSTMState:
        """Zeros, ``(layers, networks, batch, hidden)`` each."""
        recurrent = [layer.recurrent for layer in self.layers]
        shape = (len(self.layers), len(recurrent[0]), batch_size, max(weight.shape[-1] for weight in recurrent))
        return LSTMState(recurrent[0].new_zeros(shape), recurrent[0].new_zeros(shape))

    def undropped(
        self, inputs: Float[Tensor, "networks time batch features"], state: LSTMState
    ) -> tuple[Float[Tensor, "networks time batch hidden"], LSTMState]:
        """Outputs of the top layers as they are before `drop_output`, and the state after the last step.

        Raises:
            ValueError: a shape does not fit the weights.
        """
        finals = []
        for place, (weights, *old) in enumerate(zip(self.layers, *state, strict=True)):
            begin = narrowed(LSTMState(*old), weights.recurrent.shape[-1])
            dropped = self._dropped(inputs, self.regularizer.at(place, len(self.layers)))
            noise = self._noise(inputs.shape[1], inputs.shape[2], weights)
            thinned = weights._replace(recurrent=self._dropped(weights.recurrent, self.regularizer.weight))
            inputs, final = scan(thinned, dropped, begin, noise)
            finals.append(final)
        return inputs, stacked(finals)

    def drop_output(
        self, outputs: Float[Tensor, "networks time batch hidden"]
    ) -> Float[Tensor, "networks time batch hidden"]:
        """What the rule leaves of the top layers' outputs."""
        return self._dropped(outputs, self.regularizer.at(len(self.layers), len(self.layers)))

    def _dropped(self, values: Tensor, drop: Callable[[Tensor], Tensor]) -> Tensor:
        return values if drop is unchanged else torch.stack(self.each(drop, values))

    def _noise(self, num_steps: int, batch_size: int, weights: LayerWeights) -> Noise:
        draw = partial(self.regularizer.noise, (num_steps, batch_size, weights.recurrent.shape[-1]))
        drawn: list[Noise] = self.each(draw, weights.recurrent)
        if drawn[0] is SILENT:
            return SILENT
        masks = ([getattr(noise, field.name) for noise in drawn] for field in fields(Noise))
        return Noise(*(None if found[0] is None else torch.stack(found) for found in masks))
