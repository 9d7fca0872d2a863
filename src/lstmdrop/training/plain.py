"""The plainest PyTorch loops that write sequences, as a tutorial has them: what the toolkit is timed against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.nn.decoder import PADDING
from lstmdrop.task import BatchT

StateT = TypeVar("StateT")
LayerState = tuple[Tensor, Tensor]
"""Hidden and cell state, as PyTorch's LSTM has them."""


class PlainWriter(nn.Module, Generic[BatchT]):
    """A network that writes tokens about what it is given; its embedding is not tied to the softmax.

    ``network(given, inputs)`` are logits, ``network.start(given)`` is the state before the first token, and
    ``network.step(token, state)`` the log-probabilities of the next one and the state after it.
    """

    def __init__(self, network: Any, given: Callable[[BatchT], Tensor], label_smoothing: float) -> None:
        super().__init__()
        self.network = network
        self.given = given
        self.label_smoothing = label_smoothing

    def forward(self, batch: Any) -> Tensor:
        """The mean loss of a token."""
        logits, targets = self.network(self.given(batch), batch.inputs), batch.targets.flatten()
        smoothing = self.label_smoothing
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=smoothing)

    def log_probs(self, batch: Any) -> Tensor:
        """Of the targets, in nats; no row is padded."""
        logits: Tensor = self.network(self.given(batch), batch.inputs)
        return logits.log_softmax(-1).gather(-1, batch.targets[..., None])[..., 0]

    def best(self, given: Tensor, eos: int, unk: int, longest: int, settings: BeamSettings) -> list[int]:
        """What a search finds about one thing, one hypothesis after the other."""
        return plain_beam_search(
            self.network.step, self.network.start(given), eos=eos, banned=[unk], longest=longest,
            beam_size=settings.beam_size, length_penalty=settings.length_penalty,
        )  # fmt: skip

    @torch.no_grad()
    def take_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Those of a task's network by their names here; the two then give the same numbers."""
        for name, parameter in self.network.named_parameters():
            parameter.copy_(weights[name])


class PlainSequence(nn.Module):
    """One LSTM writes on from the state of what it is given: ``start`` is its own class's."""

    def __init__(self, width: int, size: int, num_layers: int, num_words: int, rate: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, width)
        self.lstm = nn.LSTM(width, size, num_layers, dropout=rate if num_layers > 1 else 0.0)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, given: Tensor, inputs: Tensor) -> Tensor:
        """Logits of the next token at every step."""
        outputs, _ = self.lstm(self.dropout(self.embedding(inputs)), self.start(given))
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits

    def start(self, given: Tensor) -> LayerState:
        """The state before the first token."""
        raise NotImplementedError

    def step(self, token: int, state: LayerState) -> tuple[Tensor, LayerState]:
        """Log-probabilities after one token."""
        outputs, after = self.lstm(self.embedding(torch.tensor([[token]], device=state[0].device)), state)
        return self.softmax(outputs)[0, 0].log_softmax(-1), after


AttentionState = tuple[Tensor, Tensor, list[LayerState], Tensor]
"""Memory and keys, ``(rows, positions, size)``; the state of each layer; the last output."""


class PlainAttention(nn.Module):
    """Cells that look at a memory at every step (Luong et al. 2015); ``start`` is its own class's."""

    def __init__(self, width: int, size: int, num_layers: int, num_words: int, rate: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, width)
        self.cells = nn.ModuleList(nn.LSTMCell(width + size if n == 0 else size, size) for n in range(num_layers))
        self.key = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, given: Tensor, inputs: Tensor) -> Tensor:
        """Logits of the next token at every step."""
        memory, keys, states, feed = self.start(given)
        logits = []
        for embedded in self.embedding(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

    def start(self, given: Tensor) -> AttentionState:
        """The state before the first token."""
        raise NotImplementedError

    def seen(self, output: Tensor, context: Tensor) -> Tensor:
        """What is taken of a context."""
        return context

    def step(self, token: int, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Log-probabilities after one token."""
        memory, keys, states, feed = state
        states = list(states)
        embedded = self.embedding(torch.tensor([token], device=feed.device))
        feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
        return self.softmax(feed)[0].log_softmax(-1), (memory, keys, states, feed)

    def _step(self, inputs: Tensor, states: list[LayerState], memory: Tensor, keys: Tensor) -> Tensor:
        for number, cell in enumerate(self.cells):
            states[number] = cell(self.dropout(inputs), states[number])
            inputs = states[number][0]
        output = self.dropout(inputs)
        weights = (torch.bmm(keys, output[:, :, None]) / output.shape[1] ** 0.5).softmax(1)
        context = self.seen(output, (weights * memory).sum(1))
        return torch.tanh(self.combine(torch.cat([context, output], -1)))


def plain_beam_search(
    step: Callable[[int, StateT], tuple[Tensor, StateT]],
    state: StateT,
    *,
    eos: int,
    banned: Sequence[int],
    longest: int,
    beam_size: int,
    length_penalty: float,
) -> list[int]:
    """The tokens of the best hypothesis of one input, as a tutorial finds them: one hypothesis after the other.

    ``step(token, state)`` gives the log-probabilities of the next token, shape ``(vocabulary,)``; the first token is
    ``eos``. It finds what `lstmdrop.decoding.beam.beam_search` finds, which takes all hypotheses of all inputs at once.
    """
    live: list[tuple[float, list[int], StateT]] = [(0.0, [], state)]
    finished: list[tuple[float, list[int]]] = []
    for length in range(longest + 1):
        candidates: list[tuple[float, list[int], StateT]] = []
        for log_prob, tokens, own in live:
            log_probs, after = step(tokens[-1] if tokens else eos, own)
            log_probs[list(banned)] = -torch.inf
            best, words = log_probs.topk(min(2 * beam_size, len(log_probs)))
            pairs = zip(best.tolist(), words.tolist(), strict=True)
            candidates += [(log_prob + value, [*tokens, word], after) for value, word in pairs]
        candidates.sort(key=lambda candidate: -candidate[0])
        ends = [(total, tokens) for total, tokens, _ in candidates[:beam_size] if tokens[-1] == eos]
        finished += [(total / len(tokens) ** length_penalty, tokens[:-1]) for total, tokens in ends]
        going = [one for one in candidates[: 2 * beam_size] if one[1][-1] != eos][:beam_size]
        if len(finished) >= beam_size or length == longest or _is_decided(going, finished, longest, length_penalty):
            break
        live = going
    return max(finished)[1] if finished else live[0][1]


def _is_decided(
    going: Sequence[tuple[float, list[int], StateT]],
    finished: Sequence[tuple[float, list[int]]],
    longest: int,
    length_penalty: float,
) -> bool:
    """Whether no live hypothesis can overtake the best finished one, were the rest of its tokens certain."""
    return bool(finished) and going[0][0] / (longest + 1) ** length_penalty <= max(finished)[0]
