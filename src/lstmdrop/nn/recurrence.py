"""One LSTM layer over time: on the device's fused kernel, or on an explicit scan that noise can reach."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lstmdrop.nn.linear import SharedFactor
from lstmdrop.nn.shapes import require_shape


class LSTMState(NamedTuple):
    """What an LSTM remembers: ``(layers, batch, hidden)`` each; one layer alone drops the first axis."""

    hidden: Tensor
    cell: Tensor


def narrowed(state: LSTMState, width: int) -> LSTMState:
    """One layer's own part of a state that is as wide as the widest layer."""
    return state if state.hidden.shape[-1] == width else LSTMState(*(part[..., :width] for part in state))


def stacked(states: Sequence[LSTMState]) -> LSTMState:
    """The state of a stack from those of its layers, narrower ones filled up with zeros."""
    width = max(state.hidden.shape[-1] for state in states)
    wide = [
        state if state.hidden.shape[-1] == width else LSTMState(*(_filled(part, width) for part in state))
        for state in states
    ]
    return LSTMState(*(torch.stack(part) for part in zip(*wide, strict=True)))


def _filled(part: Tensor, width: int) -> Tensor:
    return F.pad(part, (0, width - part.shape[-1]))


@dataclass(frozen=True, slots=True)
class Noise:
    """What a rule does to the recurrent path of one layer, drawn before the scan starts.

    Masks have shape ``(time or 1, batch, hidden)``, of several networks with an axis before. ``hidden`` multiplies what
    the gates read of h[t-1]; ``candidate`` multiplies the candidate update g[t]. ``zone_hidden`` and ``zone_cell`` say
    how much of h[t-1] and c[t-1] stays in place of the new value: 0 or 1 in training, the rate itself in evaluation.
    """

    hidden: Tensor | None = None
    candidate: Tensor | None = None
    zone_hidden: Tensor | None = None
    zone_cell: Tensor | None = None

    def part(self, steps: slice, rows: slice) -> Noise:
        """The noise of some steps and of some rows of the batch."""
        if self is SILENT:
            return self
        return Noise(*(mask if mask is None else _part(mask, steps, rows) for mask in self._masks()))

    def steps(self, num_steps: int) -> list[Noise]:
        """The noise of each step, its masks without the time axis."""
        if self is SILENT:
            return [self] * num_steps
        columns = (_unbound(mask, num_steps) for mask in self._masks())
        return [Noise(*masks) for masks in zip(*columns, strict=True)]

    def _masks(self) -> list[Tensor | None]:
        return [getattr(self, field.name) for field in fields(self)]


SILENT = Noise()


class LayerWeights(NamedTuple):
    """The parameters of one layer as `torch.nn.LSTM` lays them out, the gates in the order i, f, g, o."""

    input: Float[Tensor, "gates features"]
    recurrent: Float[Tensor, "gates hidden"]
    input_bias: Float[Tensor, " gates"]
    recurrent_bias: Float[Tensor, " gates"]


def fused(
    weights: LayerWeights, inputs: Float[Tensor, "time batch features"], state: LSTMState, *, training: bool
) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
    """Run a layer on cuDNN, oneDNN or the native kernel; ``training`` keeps what the backward pass needs.

    Raises:
        ValueError: a shape does not fit the weights.
    """
    if torch.compiler.is_exporting():
        return _operator(weights, inputs, state)
    start = LSTMState(state.hidden[None], state.cell[None])
    outputs, (hidden, cell) = _library_lstm(list(weights), inputs, start, 1, 0.0, training)
    return outputs, LSTMState(hidden[0], cell[0])


def fused_stack(
    weights: Sequence[LayerWeights], inputs: Float[Tensor, "time batch features"], state: LSTMState, dropout: float
) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
    """Run all layers in one call, in training, dropping entries between them with fresh masks at every step.

    Raises:
        ValueError: a shape does not fit the weights.
    """
    flat = [weight for layer in weights for weight in layer]
    return _library_lstm(flat, inputs, state, len(weights), dropout, training=True)


def _operator(weights: LayerWeights, inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
    from lstmdrop.nn.kernel import lstm_layer

    outputs, hidden, cell = lstm_layer(inputs, *state, *weights)
    return outputs, LSTMState(hidden, cell)


def _library_lstm(
    weights: list[Tensor], inputs: Tensor, state: LSTMState, num_layers: int, dropout: float, training: bool
) -> tuple[Tensor, LSTMState]:
    require_fit(weights, inputs, state, (num_layers,))
    if inputs.device.type == "cuda":
        return _cudnn_lstm(weights, inputs, state, num_layers, dropout, training)
    start = (state.hidden.contiguous(), state.cell.contiguous())
    outputs, *final = torch._VF.lstm(inputs, start, weights, True, num_layers, dropout, training, False, False)
    return outputs, LSTMState(*final)


def _cudnn_lstm(
    weights: list[Tensor], inputs: Tensor, state: LSTMState, num_layers: int, dropout: float, training: bool
) -> tuple[Tensor, LSTMState]:
    """In autocast's own number format: left to itself it would hand cuDNN's LSTM float16, whatever was asked for.

    The state keeps its format, so that what is carried from window to window is not rounded.
    """
    dtype = inputs.dtype
    if torch.is_autocast_enabled("cuda"):
        wanted = torch.get_autocast_dtype("cuda")
        dtype = wanted if torch.cudnn_is_acceptable(inputs.new_empty(1, dtype=wanted)) else torch.float32
    start = tuple(part.to(dtype).contiguous() for part in state)
    cast = [weight.to(dtype) for weight in weights]
    with warnings.catch_warnings(), torch.autocast("cuda", enabled=False):
        # They do not where they are layers, copies or sparse: gathering them takes no time to speak of.
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        outputs, *final = torch._VF.lstm(
            inputs.to(dtype), start, cast, True, num_layers, dropout, training, False, False
        )
    return outputs, LSTMState(*(part.to(old.dtype) for part, old in zip(final, state, strict=True)))


def cell(product: Float[Tensor, "batch gates"], recurrent: SharedFactor, state: LSTMState, noise: Noise) -> LSTMState:
    """One step of one layer; ``product`` is what the input and the biases add to the gates, noise has no time axis."""
    h, c = state
    gates = product + recurrent(_masked(h, noise.hidden))
    i, f, g, o = gates.chunk(4, dim=-1)
    candidate = _masked(g.tanh(), noise.candidate)
    new_c = f.sigmoid() * c + i.sigmoid() * candidate
    new_h = o.sigmoid() * new_c.tanh()
    return LSTMState(_zoned(h, new_h, noise.zone_hidden), _zoned(c, new_c, noise.zone_cell))


def require_fit(weights: Sequence[Tensor], inputs: Tensor, state: LSTMState, before: tuple[int, ...]) -> None:
    """Make sure that inputs and state are those of layers; ``before`` are the axes of the state before the batch.

    Weights of several networks have an axis before their own, and so do inputs and state.

    Raises:
        ValueError: a shape is another.
    """
    networks = weights[0].shape[:-2]
    require_shape("inputs", inputs, (*networks, "time", "batch", weights[0].shape[-1]))
    for part in state:
        require_shape("state", part, (*before, inputs.shape[-2], weights[1].shape[-1]))


def _part(mask: Tensor, steps: slice, rows: slice) -> Tensor:
    return mask[steps if len(mask) > 1 else slice(None), rows if mask.shape[1] > 1 else slice(None)]


def _unbound(mask: Tensor | None, num_steps: int) -> tuple[Tensor | None, ...]:
    if mask is None:
        return (None,) * num_steps
    return tuple(mask.expand(*mask.shape[:-3], num_steps, *mask.shape[-2:]).unbind(-3))


def _masked(value: Tensor, mask: Tensor | None) -> Tensor:
    return value if mask is None else value * mask


def _zoned(old: Tensor, new: Tensor, zone: Tensor | None) -> Tensor:
    return new if zone is None else torch.lerp(new, old, zone.to(new.dtype))


class UnrolledLayer:
    """One layer of a pass, with its noise at each step."""

    def __init__(self, weights: LayerWeights, noises: Sequence[Noise]) -> None:
        self.input = SharedFactor(weights.input.t())
        self.recurrent = SharedFactor(weights.recurrent.t())
        self.bias = weights.input_bias + weights.recurrent_bias
        self.width = weights.recurrent.shape[1]
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
            begin = narrowed(LSTMState(*old), layer.width)
            states.append(layer.step(t, self._masked(number, t, inputs), begin))
            inputs = states[-1].hidden
        return self._masked(len(self.layers), t, inputs), stacked(states)

    def _masked(self, position: int, t: int, inputs: Tensor) -> Tensor:
        masks = self.masks[position]
        return inputs if masks is None else inputs * masks[t]
