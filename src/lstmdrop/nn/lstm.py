"""The regularised LSTM: a stack of layers under one dropout rule."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lstmdrop.nn.kernel import Kernel, fastest_kernel, running_on
from lstmdrop.nn.recurrence import SILENT, LayerWeights, LSTMState, fused, scan
from lstmdrop.nn.rules import Regularizer


class RegularizedLSTM(nn.Module):
    """A deep LSTM with its dropout rule built in, the mask on the top output included.

    The weights are laid out as in `torch.nn.LSTM`, one layer after the other, whatever the rule, so that a
    checkpoint trained under one rule can be evaluated under any. Source: Zaremba, Sutskever & Vinyals 2014.

    ``kernel`` is the CPU kernel of training, measured on the first training batch unless it is set.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, regularizer: Regularizer) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, hidden_size) for size in sizes)
        self.hidden_size = hidden_size
        self.regularizer = regularizer
        self.kernel: Kernel | None = None

    def initial_state(self, batch_size: int) -> LSTMState:
        """Zeros: what the network remembers before the first step."""
        weight = next(self.parameters())
        shape = (len(self.layers), batch_size, self.hidden_size)
        return LSTMState(weight.new_zeros(shape), weight.new_zeros(shape))

    def forward(
        self, inputs: Float[Tensor, "time batch features"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """Outputs of the top layer, and the state after the last step; without ``state``, from zeros."""
        state = self.initial_state(inputs.shape[1]) if state is None else state
        finals = []
        for layer, hidden, cell in zip(self.layers, *state, strict=True):
            inputs, final = self._run_layer(layer, self._between(inputs), LSTMState(hidden, cell))
            finals.append(final)
        hidden, cell = (torch.stack(part) for part in zip(*finals, strict=True))
        return self._between(inputs), LSTMState(hidden, cell)

    def _between(self, inputs: Tensor) -> Tensor:
        return self.regularizer.between(inputs) if self.training else inputs

    def _run_layer(self, layer: nn.Module, inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        rule, weights = self.regularizer, LayerWeights(*layer.parameters())
        shape = (inputs.shape[0], inputs.shape[1], self.hidden_size)
        noise = (rule.noise if self.training else rule.expectation)(shape, weights.recurrent)
        if noise is not SILENT:
            return scan(weights, inputs, state, noise)
        if self.training:
            weights = weights._replace(recurrent=rule.weight(weights.recurrent))
        with running_on(self._kernel_for(inputs)):
            return fused(weights, inputs, state, training=self.training)

    def _kernel_for(self, inputs: Tensor) -> Kernel:
        if not self.training or inputs.device.type != "cpu":
            return "onednn"  # in evaluation fixed, so that a score never depends on a measurement
        if self.kernel is None:
            self.kernel = self._measured_kernel(inputs.shape[0], inputs.shape[1])
        return self.kernel

    def _measured_kernel(self, num_steps: int, batch_size: int) -> Kernel:
        weights = LayerWeights(*copy.deepcopy(self.layers[-1]).parameters())
        inputs = weights.input.detach().new_full((num_steps, batch_size, weights.input.shape[1]), 0.1)
        zeros = weights.input.new_zeros(batch_size, self.hidden_size)
        return fastest_kernel(lambda: fused(weights, inputs, LSTMState(zeros, zeros), training=True)[0])
