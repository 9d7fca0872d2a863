"""The plainest PyTorch networks that translate: what the toolkit is timed against."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.nn.decoder import PADDING
from lstmdrop.training.bench import plain_beam_search
from lstmdrop_tasks.mt.pairs import PairBatch
from lstmdrop_tasks.mt.task import MachineTranslation

State = tuple[Tensor, Tensor]


class PlainTranslator(nn.Module):
    """The same network as the task's but for tied weights."""

    def __init__(self, task: MachineTranslation) -> None:
        super().__init__()
        config = task.config
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        network = _Attention if config.model.architecture == "attention" else _Sequence
        self.network: Any = network(task, rate)
        self.smoothing = config.training.label_smoothing

    def forward(self, batch: PairBatch) -> Tensor:
        """The mean loss of a token."""
        logits = self.network(batch.source, batch.inputs)
        targets = batch.targets.flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=self.smoothing)

    def log_probs(self, batch: PairBatch) -> Tensor:
        """Of the targets, in nats; no row is padded."""
        logits: Tensor = self.network(batch.source, batch.inputs)
        return logits.log_softmax(-1).gather(-1, batch.targets[..., None])[..., 0]

    def translation(self, source: Tensor, eos: int, unk: int, longest: int, settings: BeamSettings) -> list[int]:
        """Of one source, shape ``(positions, 1)``, one hypothesis after the other."""
        return plain_beam_search(
            self.network.step, self.network.start(source), eos=eos, banned=[unk], longest=longest,
            beam_size=settings.beam_size, length_penalty=settings.length_penalty,
        )  # fmt: skip

    @torch.no_grad()
    def take_weights(self, task: MachineTranslation) -> PlainTranslator:
        """Those of the task, which then gives the same numbers."""
        others = dict(self.network.named_parameters())
        for name, parameter in task.model.named_parameters(remove_duplicate=False):
            scale = task.model.decoder.embedding.scale if name == "decoder.embedding.weight" else 1.0
            others[plain_name(name, task.config.model.architecture)].copy_(scale * parameter)
        return self.eval()


def plain_name(name: str, architecture: str) -> str:
    """What a parameter of the task's network is called in the plain one."""
    part, *rest = name.split(".")
    if architecture == "stream" and part == "encoder":  # the decoder's own LSTM
        part = "decoder"
    if part == "embedding":
        return ".".join(["source", *rest])
    if rest[0] == "embedding":
        return ".".join(["target", *rest[1:]])
    if part == "encoder" and architecture == "attention":  # encoder.ahead.0.layers.0.weight_ih_l0
        direction, layer, weight = rest[0], rest[1], rest[-1]
        return f"encoder.{weight[:-1]}{layer}{'_reverse' if direction == 'back' else ''}"
    if "layers" in rest:  # decoder.lstm.layers.0.weight_ih_l0
        layer, weight = rest[-2:]
        is_cell = architecture == "attention"
        return f"cells.{layer}.{weight.removesuffix('_l0')}" if is_cell else f"{part}.{weight[:-1]}{layer}"
    return ".".join(rest).removeprefix("attention.")


class _Sequence(nn.Module):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        super().__init__()
        config, vocabulary = task.config.model, task.tokenizers
        size, embedding, layers = config.hidden_size, config.embedding_size, config.num_layers
        between = rate if layers > 1 else 0.0
        self.source = nn.Embedding(len(vocabulary.source.vocabulary), embedding)
        self.target = nn.Embedding(len(vocabulary.target.vocabulary), embedding)
        self.decoder = nn.LSTM(embedding, size, layers, dropout=between)
        is_stream = config.architecture == "stream"
        self.encoder = self.decoder if is_stream else nn.LSTM(embedding, size, layers, dropout=between)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, len(vocabulary.target.vocabulary))

    def forward(self, source: Tensor, inputs: Tensor) -> Tensor:
        _, state = self.encoder(self.dropout(self.source(source)))
        outputs, _ = self.decoder(self.dropout(self.target(inputs)), state)
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits

    def start(self, source: Tensor) -> State:
        state: State = self.encoder(self.source(source))[1]
        return state

    def step(self, token: int, state: State) -> tuple[Tensor, State]:
        outputs, after = self.decoder(self.target(torch.tensor([[token]], device=state[0].device)), state)
        return self.softmax(outputs)[0, 0].log_softmax(-1), after


class _Attention(nn.Module):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        super().__init__()
        config, vocabulary = task.config.model, task.tokenizers
        size, embedding, layers = config.hidden_size, config.embedding_size, config.num_layers
        self.source = nn.Embedding(len(vocabulary.source.vocabulary), embedding)
        self.target = nn.Embedding(len(vocabulary.target.vocabulary), embedding)
        between = rate if layers > 1 else 0.0
        self.encoder = nn.LSTM(embedding, size // 2, layers, bidirectional=True, dropout=between)
        self.cells = nn.ModuleList(nn.LSTMCell(embedding + size if n == 0 else size, size) for n in range(layers))
        self.key = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, len(vocabulary.target.vocabulary))

    def forward(self, source: Tensor, inputs: Tensor) -> Tensor:
        memory, keys, states, feed = self.start(source)
        logits = []
        for embedded in self.target(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

    def start(self, source: Tensor) -> tuple[Tensor, Tensor, list[State], Tensor]:
        memory, final = self.encoder(self.dropout(self.source(source)))
        memory = self.dropout(memory).transpose(0, 1)
        states = [_joined(final, layer) for layer in range(len(self.cells))]
        return memory, self.key(memory), states, torch.zeros_like(states[0][0])

    def step(self, token: int, state: tuple[Tensor, Tensor, list[State], Tensor]) -> tuple[Tensor, Any]:
        memory, keys, states, feed = state
        states = list(states)
        embedded = self.target(torch.tensor([token], device=feed.device))
        feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
        return self.softmax(feed)[0].log_softmax(-1), (memory, keys, states, feed)

    def _step(self, inputs: Tensor, states: list[State], memory: Tensor, keys: Tensor) -> Tensor:
        for number, cell in enumerate(self.cells):
            states[number] = cell(self.dropout(inputs), states[number])
            inputs = states[number][0]
        output = self.dropout(inputs)
        weights = (torch.bmm(keys, output[:, :, None]) / output.shape[1] ** 0.5).softmax(1)
        context = (weights * memory).sum(1)
        return torch.tanh(self.combine(torch.cat([context, output], -1)))


def _joined(final: State, layer: int) -> State:
    hidden, cell = (torch.cat([part[2 * layer], part[2 * layer + 1]], -1) for part in final)
    return hidden, cell
