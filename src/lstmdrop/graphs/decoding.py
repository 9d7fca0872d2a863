"""Networks that write a sequence as two graphs: what is made of the input, and one step of the decoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lstmdrop.graphs.graph import Axis, Graph, Port
from lstmdrop.nn.attention import Memory
from lstmdrop.nn.decoder import AttentionDecoder, AttentionState, PlainDecoder
from lstmdrop.nn.recurrence import LSTMState


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
