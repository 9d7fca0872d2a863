"""What one would write first: padded batches through nn.LSTM and nn.LSTMCell, nn.Linear, cross_entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.nn.decoder import PADDING
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
        self.network = network(task, rate)
        self.smoothing = config.training.label_smoothing

    def forward(self, batch: PairBatch) -> Tensor:
        """The mean loss of a token."""
        logits = self.network(batch.source, batch.inputs)
        targets = batch.targets.flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=self.smoothing)


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
        memory, final = self.encoder(self.dropout(self.source(source)))
        memory = self.dropout(memory).transpose(0, 1)
        states = [_joined(final, layer) for layer in range(len(self.cells))]
        keys, feed, logits = self.key(memory), torch.zeros_like(states[0][0]), []
        for embedded in self.target(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

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
