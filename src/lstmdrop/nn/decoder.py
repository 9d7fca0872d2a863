"""Decoders: networks that write a sequence token by token, given what an encoder made of the input."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.nn.attention import LuongAttention, Memory, MemoryReader
from lstmdrop.nn.cross_entropy import smoothed_cross_entropy, target_log_probs
from lstmdrop.nn.linear import SharedFactor, linear
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop.nn.shapes import require_shape

PADDING = -1
"""A target that no row of the batch has: it adds nothing to the loss."""

StateT = TypeVar("StateT")


@runtime_checkable
class Decoder(Protocol[StateT]):
    """What training and search need of a decoder."""

    softmax: nn.Linear

    def features(
        self, inputs: Int[Tensor, "time batch"], state: StateT
    ) -> tuple[Float[Tensor, "time batch hidden"], StateT]:
        """What the softmax reads after each token of ``inputs``, and the state after the last one."""
        ...

    def step(
        self, tokens: Int[Tensor, " rows"], state: StateT
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, StateT]:
        """Log-probabilities of the next token in nats, where the decoder looked, and the state after ``tokens``."""
        ...

    def select(self, state: StateT, rows: Int[Tensor, " chosen"]) -> StateT:
        """The state of these rows, in this order."""
        ...


class WordEmbedding(nn.Embedding):
    """The vectors of tokens that a decoder reads.

    Where they are the softmax's rows too (Press & Wolf 2017), which start with length one, they are read as vectors
    with variance one (Vaswani et al. 2017, section 3.4): smaller ones would be lost beside what else the LSTM reads.
    """

    def __init__(self, vocabulary_size: int, size: int) -> None:
        super().__init__(vocabulary_size, size)
        self.scale = 1.0

    def tie(self, softmax: nn.Linear) -> None:
        """Make one matrix of both.

        Raises:
            ValueError: they differ in shape.
        """
        require_shape("the softmax's matrix", softmax.weight, self.weight.shape)
        softmax.weight = self.weight
        self.scale = math.sqrt(self.embedding_dim)

    def forward(self, input: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape features"]:  # noqa: A002 (the base's name)
        """The vectors of tokens."""
        return self.scale * super().forward(input)


class PlainDecoder(nn.Module):
    """An LSTM language model that starts from a given state (Sutskever, Vinyals & Le 2014; Vinyals et al. 2015).

    ``tied``: the softmax's matrix is the embedding's, which then have one size.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, lstm: RegularizedLSTM, *, tied: bool = False) -> None:
        super().__init__()
        if lstm.input_size != embedding_size:
            raise ValueError(f"embeddings of size {embedding_size} for an LSTM that reads {lstm.input_size} features")
        self.embedding = WordEmbedding(vocabulary_size, embedding_size)
        self.lstm = lstm
        self.softmax = nn.Linear(lstm.hidden_size, vocabulary_size)
        if tied:
            self.embedding.tie(self.softmax)

    def features(
        self, inputs: Int[Tensor, "time batch"], state: LSTMState
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """What the softmax reads after each token of ``inputs``, and the state after the last one."""
        features: tuple[Tensor, LSTMState] = self.lstm(self.embedding(inputs), state)
        return features

    @torch.no_grad()
    def step(self, tokens: Int[Tensor, " rows"], state: LSTMState) -> tuple[Tensor, None, LSTMState]:
        """Log-probabilities of the next token, shape ``(rows, vocabulary)``, in nats; it looks at nothing."""
        features, state = self.lstm.step(self.embedding(tokens), state)
        return _log_probs(features, self.softmax), None, state

    def select(self, state: LSTMState, rows: Int[Tensor, " chosen"]) -> LSTMState:
        """The state of these rows, in this order."""
        return _selected(state, rows)


class AttentionState(NamedTuple):
    """What an `AttentionDecoder` remembers."""

    lstm: LSTMState
    feed: Float[Tensor, "rows hidden"]
    """The last attentional vector."""
    memory: Memory


class AttentionDecoder(nn.Module):
    """A deep LSTM with global attention and input feeding (Luong, Pham & Manning 2015, section 3.3).

    ``tied``: the softmax's matrix is the embedding's, which then have one size. ``gated``: each
    step decides how much of what it sees it lets in (Xu et al. 2015, section 4.2.1, a gate for every feature).
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int, hidden_size: int, num_layers: int, memory_size: int,
        regularizer: Regularizer, *, tied: bool = False, gated: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = WordEmbedding(vocabulary_size, embedding_size)
        self.lstm = RegularizedLSTM(embedding_size + hidden_size, hidden_size, num_layers, regularizer)
        self.attention = LuongAttention(hidden_size, memory_size)
        self.gate = nn.Linear(hidden_size, memory_size) if gated else None
        self.combine = nn.Linear(memory_size + hidden_size, hidden_size, bias=False)
        self.softmax = nn.Linear(hidden_size, vocabulary_size)
        if tied:
            self.embedding.tie(self.softmax)

    def start(self, lstm: LSTMState, memory: Memory) -> AttentionState:
        """The state before the first token; the first feed is zero."""
        return AttentionState(lstm, torch.zeros_like(lstm.hidden[0]), memory)

    def features(
        self, inputs: Int[Tensor, "time batch"], state: AttentionState
    ) -> tuple[Float[Tensor, "time batch hidden"], AttentionState]:
        """The attentional vector after each token of ``inputs``, and the state after the last one."""
        features, _, state = self._run(inputs, state)
        return features, state

    @torch.no_grad()
    def step(
        self, tokens: Int[Tensor, " rows"], state: AttentionState
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"], AttentionState]:
        """Log-probabilities of the next token in nats, the attention weights, and the state after ``tokens``."""
        features, weights, state = self._run(tokens[None], state)
        return _log_probs(features[0], self.softmax), weights, state

    def select(self, state: AttentionState, rows: Int[Tensor, " chosen"]) -> AttentionState:
        """The state of these rows, in this order."""
        return AttentionState(_selected(state.lstm, rows), state.feed[rows], state.memory.select(rows))

    def _run(self, inputs: Tensor, state: AttentionState) -> tuple[Tensor, Tensor, AttentionState]:
        require_shape("inputs", inputs, ("time", "batch"))
        unrolled = self.lstm.unrolled(*inputs.shape)
        lstm, feed, memory = state
        require_shape("feed", feed, (inputs.shape[1], self.lstm.hidden_size))
        read, combine = MemoryReader(memory), SharedFactor(self.combine.weight.t())
        gate = None if self.gate is None else _Gate(self.gate)
        weights = feed.new_empty(0)
        features = []
        for t, embedded in enumerate(self.embedding(inputs).unbind()):
            output, lstm = unrolled.step(t, torch.cat([embedded, feed], -1), lstm)
            context, weights = read(output)
            if gate is not None:
                context = gate(output) * context
            feed = torch.tanh(combine(torch.cat([context, output], -1)))
            features.append(feed)
        return torch.stack(features), weights, AttentionState(lstm, feed, memory)


class _Gate:
    """How much of each feature passes, at one step after the other."""

    def __init__(self, layer: nn.Linear) -> None:
        self._factor, self._bias = SharedFactor(layer.weight.t()), layer.bias

    def __call__(self, output: Tensor) -> Tensor:
        return torch.sigmoid(self._factor(output) + self._bias)


def decoder_loss(
    decoder: Decoder[StateT], inputs: Int[Tensor, "time batch"], targets: Int[Tensor, "time batch"], state: StateT,
    smoothing: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:  # fmt: skip
    """The summed loss under smoothed labels, and the plain one; targets that are `PADDING` add nothing.

    Raises:
        ValueError: the shapes do not fit.
    """
    require_shape("targets", targets, inputs.shape)
    features, _ = decoder.features(inputs, state)
    is_real = targets != PADDING
    softmax = decoder.softmax
    return smoothed_cross_entropy(features[is_real], softmax.weight, softmax.bias, targets[is_real], smoothing)


@torch.no_grad()
def decoder_log_probs(
    decoder: Decoder[StateT], inputs: Int[Tensor, "time batch"], targets: Int[Tensor, "time batch"], state: StateT
) -> Float[Tensor, "time batch"]:
    """Log-probability of each target in nats; zero where it is `PADDING`.

    Raises:
        ValueError: the shapes do not fit.
    """
    require_shape("targets", targets, inputs.shape)
    features, _ = decoder.features(inputs, state)
    is_real = targets != PADDING
    softmax = decoder.softmax
    log_probs = target_log_probs(features[is_real], softmax.weight, softmax.bias, targets[is_real])
    return log_probs.new_zeros(targets.shape).masked_scatter(is_real, log_probs)


def _log_probs(features: Tensor, softmax: nn.Linear) -> Tensor:
    return linear(features, softmax.weight, softmax.bias).log_softmax(-1)


def _selected(state: LSTMState, rows: Tensor) -> LSTMState:
    return LSTMState(*(part[:, rows] for part in state))
