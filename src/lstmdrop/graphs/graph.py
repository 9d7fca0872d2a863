"""A network to be exported: what goes in, what comes out; those of the core's LSTM and decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lstmdrop.errors import UsageError
from lstmdrop.nn.attention import Memory
from lstmdrop.nn.decoder import AttentionDecoder, AttentionState, PlainDecoder
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState

Axis = str | int


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output."""

    name: str
    axes: Sequence[Axis]
    """The size of each axis, or the name of one that may have any; what has the same name has the same size."""
    num_tokens: int | None = None
    """Of an input of tokens, how many there are; other ports hold single-precision numbers."""

    def after(self) -> Port:
        """The same, as it is after a step: a graph's inputs and outputs cannot share a name."""
        return replace(self, name=f"next_{self.name}")

    @property
    def dtype(self) -> str:
        """``int64`` or ``float32``."""
        return "float32" if self.num_tokens is None else "int64"

    def draw(self, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """A random value, its named axes of these sizes."""
        shape = [axis if isinstance(axis, int) else sizes[axis] for axis in self.axes]
        if self.num_tokens is None:
            return torch.randn(shape, generator=generator)
        return torch.randint(self.num_tokens, shape, generator=generator)

    def described(self) -> dict[str, Any]:
        """Name, axes and number format, ready for JSON."""
        return {"name": self.name, "axes": list(self.axes), "dtype": self.dtype}


@dataclass(frozen=True, slots=True)
class Graph:
    """A module in evaluation, its ports in the order of its arguments and of the tuple that it returns."""

    module: nn.Module
    inputs: Sequence[Port]
    outputs: Sequence[Port]

    @property
    def free_axes(self) -> list[str]:
        """The axes of the inputs that may have any size, each once."""
        named = [axis for port in self.inputs for axis in port.axes if isinstance(axis, str)]
        return list(dict.fromkeys(named))

    def described(self) -> dict[str, Any]:
        """The ports, ready for JSON."""
        sides = {"inputs": self.inputs, "outputs": self.outputs}
        return {side: [port.described() for port in ports] for side, ports in sides.items()}

    def draw(self, sizes: Mapping[str, int], seed: int) -> tuple[Tensor, ...]:
        """Random inputs; the same seed gives the same."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(port.draw(sizes, generator) for port in self.inputs)


def runs_by_steps(model: nn.Module) -> bool:
    """Whether an LSTM in it takes its steps one by one in evaluation too, as under zoneout."""
    return any(isinstance(module, RegularizedLSTM) and module.runs_by_steps for module in model.modules())


def require_whole_passes(model: nn.Module) -> None:
    """Check that the number of steps can be left open.

    Raises:
        UsageError: it cannot.
    """
    if runs_by_steps(model):
        raise UsageError("under zoneout the steps are taken one by one, and no graph has any number of them")


def decoding_graphs(model: nn.Module, source: Port, positions: Axis) -> Mapping[str, Graph]:
    """``encoder`` takes one source, ``decoder`` the last token of each hypothesis of it.

    The encoder's state has one row; whoever searches repeats ``hidden``, ``cell`` and ``feed`` for every hypothesis.
    ``keys`` and ``values``, which attention looks at, stay one row. ``positions`` is how many places there are.
    """
    decoder = model.decoder
    assert isinstance(decoder, PlainDecoder | AttentionDecoder)
    tokens = Port("tokens", ["hypotheses"], num_tokens=decoder.softmax.out_features)
    outputs = [Port("log_probs", ["hypotheses", decoder.softmax.out_features])]
    if isinstance(decoder, AttentionDecoder):
        outputs.append(Port("attention", ["hypotheses", positions]))
    state, memory = _state_ports(decoder, "hypotheses"), _memory_ports(decoder, positions)
    return {
        "encoder": Graph(_Encoder(model), [source], [*_state_ports(decoder, 1), *memory]),
        "decoder": Graph(
            _Step(decoder),
            [tokens, *state, *memory],
            [*outputs, *(port.after() for port in state)],
        ),
    }


def _state_ports(decoder: PlainDecoder | AttentionDecoder, rows: Axis) -> list[Port]:
    size = decoder.lstm.hidden_size
    parts = [Port(name, [len(decoder.lstm.layers), rows, size]) for name in ("hidden", "cell")]
    return [*parts, Port("feed", [rows, size])] if isinstance(decoder, AttentionDecoder) else parts


def _memory_ports(decoder: PlainDecoder | AttentionDecoder, positions: Axis) -> list[Port]:
    if isinstance(decoder, PlainDecoder):
        return []
    key = decoder.attention.key
    return [Port("values", [1, positions, key.in_features]), Port("keys", [1, positions, key.out_features])]


class _Encoder(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor) -> tuple[Tensor, ...]:
        state = self.model.encode(source)  # type: ignore[operator]
        if isinstance(state, AttentionState):
            return *state.lstm, state.feed, state.memory.values, state.memory.keys
        return tuple(state)


class _Step(nn.Module):
    def __init__(self, decoder: PlainDecoder | AttentionDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, tokens: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        if isinstance(self.decoder, PlainDecoder):
            log_probs, _, lstm = self.decoder.step(tokens, LSTMState(*parts))
            return log_probs, *lstm
        hidden, cell, feed, values, keys = parts
        is_real = torch.ones(values.shape[:2], dtype=torch.bool)
        memory = Memory(values, keys, is_real, num_readers=tokens.shape[0])
        log_probs, attention, state = self.decoder.step(tokens, AttentionState(LSTMState(hidden, cell), feed, memory))
        return log_probs, attention, *state.lstm, state.feed
