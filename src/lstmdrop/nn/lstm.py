"""The regularised LSTM: a stack of layers under one dropout rule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.nn.kernel import Kernel, fastest_kernel, kernels_on, running_on
from lstmdrop.nn.recurrence import (
    SILENT,
    LayerWeights,
    LSTMState,
    Noise,
    Unrolled,
    UnrolledLayer,
    fused,
    fused_stack,
    narrowed,
    stacked,
)
from lstmdrop.nn.rules import Regularizer
from lstmdrop.nn.scan import scan
from lstmdrop.nn.shapes import WHOLE, Span, require_alike, require_lengths, require_shape, require_sizes, spans


class RegularizedLSTM(nn.Module):
    """A deep LSTM with its dropout rule built in, the mask on the top output included.

    The weights are laid out as in `torch.nn.LSTM`, one layer after the other, whatever the rule, so that a
    checkpoint trained under one rule can be evaluated under any. Source: Zaremba, Sutskever & Vinyals 2014.

    With ``output_size`` the top layer has so many units in place of ``hidden_size``, as where its output meets a tied
    softmax (Merity et al. 2018, section 5). Its part of the state is then filled up with zeros.

    ``kernel`` is the fused kernel of training; None is the usual one, and ``measured`` becomes the fastest on the first
    training batch.

    Raises:
        ValueError: a size is less than 1.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        regularizer: Regularizer,
        output_size: int | None = None,
    ) -> None:
        super().__init__()
        output_size = hidden_size if output_size is None else output_size
        require_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, output_size=output_size)
        sizes = [input_size, *[hidden_size] * (num_layers - 1), output_size]
        self.layers = nn.ModuleList(nn.LSTM(below, above) for below, above in pairwise(sizes))
        self.input_size, self.output_size = input_size, output_size
        self.hidden_size = max(sizes[1:])
        self.regularizer = regularizer
        self.kernel: Kernel | Literal["measured"] | None = None

    @property
    def runs_by_steps(self) -> bool:
        """Whether steps are taken one by one in evaluation too, as under zoneout."""
        return self.regularizer.acts_in_evaluation

    def initial_state(self, batch_size: int) -> LSTMState:
        """Zeros: what the network remembers before the first step."""
        weight = next(self.parameters())
        shape = (len(self.layers), batch_size, self.hidden_size)
        return LSTMState(weight.new_zeros(shape), weight.new_zeros(shape))

    def forward(
        self,
        inputs: Float[Tensor, "time batch features"],
        state: LSTMState | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """Outputs of the top layer, and the state after the last step; without ``state``, from zeros.

        With ``lengths`` each row ends after so many steps: its later outputs are zero, its state is the one
        after its own last step, and what it was padded with changes nothing.

        Raises:
            ValueError: the shape, number format or device of what is given is another than this network takes.
        """
        if lengths is None:
            outputs, final = self.undropped(inputs, state)
            return self.drop_output(outputs), final
        state = self._checked(inputs, state)
        lengths = lengths.cpu()
        require_lengths(lengths, *inputs.shape[:2])
        falling = lengths.argsort(descending=True, stable=True)
        order, back = falling.to(inputs.device), falling.argsort().to(inputs.device)
        state = LSTMState(*(part[:, order] for part in state))
        outputs, final = self._run(inputs[:, order], state, spans(lengths[falling]))
        outputs = F.pad(self.drop_output(outputs)[:, back], (0, 0, 0, 0, 0, len(inputs) - len(outputs)))
        return outputs, LSTMState(*(part[:, back] for part in final))

    def undropped(
        self, inputs: Float[Tensor, "time batch features"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """As `forward`, but for what `drop_output` does to the outputs.

        Raises:
            ValueError: as `forward`.
        """
        return self._run(inputs, self._checked(inputs, state), WHOLE)

    def drop_output(self, outputs: Float[Tensor, "time batch hidden"]) -> Float[Tensor, "time batch hidden"]:
        """What the rule leaves of the top layer's outputs in training."""
        return self._dropped(outputs, len(self.layers))

    def unrolled(self, num_steps: int, batch_size: int) -> Unrolled:
        """A pass of so many steps to be taken one by one, its dropout masks drawn now.

        Raises:
            ValueError: there is no step, or no row.
        """
        require_sizes(num_steps=num_steps, batch_size=batch_size)
        weights = self._weights()
        sizes = [layer.input.shape[1] for layer in weights] + [self.output_size]
        masks = [self._mask((num_steps, batch_size, size), place) for place, size in enumerate(sizes)]
        noises = [self._noise(num_steps, batch_size, layer).steps(num_steps) for layer in weights]
        layers = [UnrolledLayer(self._drop_weights(layer), noise) for layer, noise in zip(weights, noises, strict=True)]
        state_shape = (len(layers), batch_size, self.hidden_size)
        return Unrolled(layers, masks, (batch_size, self.input_size), state_shape)

    def step(
        self, inputs: Float[Tensor, "batch features"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "batch hidden"], LSTMState]:
        """As `forward` for one step alone, without its axis, in a half of the time for few rows on a CPU.

        There the library's LSTM lays out all weights anew in each call, which takes longer than a step.

        Raises:
            ValueError: as `forward`.
        """
        if inputs.device.type == "cpu" and not torch.compiler.is_exporting():
            begin = self._checked(inputs[None], state)
            return self.unrolled(1, len(inputs)).step(0, inputs, begin)
        outputs, final = self(inputs[None], state)
        return outputs[0], final

    def _checked(self, inputs: Tensor, state: LSTMState | None) -> LSTMState:
        weight = self._weights()[0].input
        require_shape("inputs", inputs, ("time", "batch", self.input_size))
        require_alike("inputs", inputs, weight)
        num_steps, batch_size, _ = inputs.shape
        if not num_steps:
            raise ValueError(f"inputs have no step: their shape is {tuple(inputs.shape)}")
        if state is None:
            return self.initial_state(batch_size)
        hidden, cell = state
        for part in (hidden, cell):
            require_shape("state", part, (len(self.layers), batch_size, self.hidden_size))
            require_alike("state", part, weight)
        return LSTMState(hidden, cell)

    def _run(self, inputs: Tensor, state: LSTMState, parts: Sequence[Span]) -> tuple[Tensor, LSTMState]:
        if self._takes_one_call(inputs, parts):
            return self._run_stack(inputs, state)
        finals = []
        for place, (weights, *old) in enumerate(zip(self._weights(), *state, strict=True)):
            begin = narrowed(LSTMState(*old), weights.recurrent.shape[1])
            inputs, final = self._run_layer(weights, self._dropped(inputs, place), begin, parts)
            finals.append(final)
        return inputs, stacked(finals)

    def _takes_one_call(self, inputs: Tensor, parts: Sequence[Span]) -> bool:
        is_plain = self.training and parts is WHOLE and self._fits_one_call()
        return is_plain and self._kernel_for(inputs) == "stack"

    def _fits_one_call(self) -> bool:
        return self.regularizer.library_rate is not None and self.output_size == self.hidden_size

    def _run_stack(self, inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        dropout = self.regularizer.library_rate or 0.0
        with running_on("stack"):
            return fused_stack(self._weights(), self._dropped(inputs, 0), state, dropout)

    def _run_layer(
        self, weights: LayerWeights, inputs: Tensor, state: LSTMState, parts: Sequence[Span]
    ) -> tuple[Tensor, LSTMState]:
        num_steps, batch_size, _ = inputs.shape
        noise = self._noise(num_steps, batch_size, weights)
        weights = self._drop_weights(weights)
        outputs = []
        for steps, rows in parts:
            begin = LSTMState(state.hidden[rows], state.cell[rows])
            output, end = self._run_part(weights, inputs[steps, rows], begin, noise.part(steps, rows))
            ended = batch_size - output.shape[1]
            outputs.append(F.pad(output, (0, 0, 0, ended)) if ended else output)
            state = LSTMState(*(torch.cat([new, old[new.shape[0] :]]) for new, old in zip(end, state, strict=True)))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs), state

    def _run_part(
        self, weights: LayerWeights, inputs: Tensor, state: LSTMState, noise: Noise
    ) -> tuple[Tensor, LSTMState]:
        if noise is not SILENT:
            return scan(weights, inputs, state, noise)
        with running_on(self._kernel_for(inputs)):
            # A gradient may be asked for in evaluation too, where nothing is dropped.
            return fused(weights, inputs, state, training=self.training or torch.is_grad_enabled())

    def _weights(self) -> list[LayerWeights]:
        return [LayerWeights(*layer.parameters()) for layer in self.layers]

    def _dropped(self, inputs: Tensor, place: int) -> Tensor:
        return self.regularizer.at(place, len(self.layers))(inputs) if self.training else inputs

    def _mask(self, shape: tuple[int, int, int], place: int) -> tuple[Tensor, ...] | None:
        if not self.training:
            return None
        ones = next(self.parameters()).new_ones(shape)
        mask = self._dropped(ones, place)
        return None if mask is ones else mask.unbind()

    def _noise(self, num_steps: int, batch_size: int, weights: LayerWeights) -> Noise:
        rule = self.regularizer
        draw = rule.noise if self.training else rule.expectation
        return draw((num_steps, batch_size, weights.recurrent.shape[1]), weights.recurrent)

    def _drop_weights(self, weights: LayerWeights) -> LayerWeights:
        if not self.training:
            return weights
        return weights._replace(recurrent=self.regularizer.weight(weights.recurrent))

    def usual_kernel(self, device: str) -> Kernel:
        """The kernel of training on a type of device, known from the network alone, so that equal seeds train alike."""
        if device == "cuda" and self._fits_one_call() and len(self.layers) > 1:
            return "stack"
        return kernels_on(device)[0]

    def _kernel_for(self, inputs: Tensor) -> Kernel:
        if not self.training:  # fixed, so that a score never depends on a measurement
            return kernels_on(inputs.device.type)[0]
        if self.kernel == "measured":
            self.kernel = self._measured_kernel(inputs)
        return self.kernel or self.usual_kernel(inputs.device.type)

    def _measured_kernel(self, inputs: Tensor) -> Kernel:
        if inputs.device.type == "cpu":
            layer, kernels = self._copies()[-1:], kernels_on("cpu")
            return fastest_kernel({kernel: partial(_run_layers, layer, inputs) for kernel in kernels})
        if inputs.device.type == "cuda" and self._fits_one_call() and len(self.layers) > 1:
            runs: dict[Kernel, Callable[[], Tensor]] = {
                "layers": partial(_run_layers, self._copies(), inputs),
                "stack": partial(_run_one_call, self._copies(), inputs),
            }
            return fastest_kernel(runs)
        return "layers"

    def _copies(self) -> list[LayerWeights]:
        """Weights to measure with, laid out as the real ones, on which no gradient is to be left.

        They have one also where the real ones are frozen or in inference mode: it is training that is measured.
        """
        with torch.inference_mode(mode=False):
            copies = [copy.deepcopy(layer).requires_grad_() for layer in self.layers]
        for layer in copies:
            assert isinstance(layer, nn.LSTM)
            layer.flatten_parameters()
        return [LayerWeights(*layer.parameters()) for layer in copies]


def _run_layers(weights: Sequence[LayerWeights], inputs: Tensor) -> Tensor:
    values = _values_for(weights, inputs)
    for layer in weights:
        values, _ = fused(layer, values, _zeros(layer, values), training=True)
    return values


def _run_one_call(weights: Sequence[LayerWeights], inputs: Tensor) -> Tensor:
    values = _values_for(weights, inputs)
    zeros = [_zeros(layer, values) for layer in weights]
    state = LSTMState(*(torch.stack(part) for part in zip(*zeros, strict=True)))
    return fused_stack(weights, values, state, dropout=0.0)[0]


def _values_for(weights: Sequence[LayerWeights], inputs: Tensor) -> Tensor:
    return inputs.new_full((*inputs.shape[:2], weights[0].input.shape[1]), 0.1)


def _zeros(weights: LayerWeights, inputs: Tensor) -> LSTMState:
    zeros = inputs.new_zeros(inputs.shape[1], weights.recurrent.shape[1])
    return LSTMState(zeros, zeros)
