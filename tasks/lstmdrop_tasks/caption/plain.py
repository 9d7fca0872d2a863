"""What one would write first: a linear layer, nn.LSTM or nn.LSTMCell with attention, nn.Linear, cross_entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.nn.decoder import PADDING
from lstmdrop_tasks.caption.captions import CaptionBatch
from lstmdrop_tasks.caption.task import ImageCaptioning


class PlainCaptioner(nn.Module):
    """The same network as the task's but for tied weights."""

    def __init__(self, task: ImageCaptioning) -> None:
        super().__init__()
        config = task.config
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        network = _Attend if config.model.architecture == "attend" else _ShowTell
        self.network = network(task, rate)
        self.smoothing = config.training.label_smoothing

    def forward(self, batch: CaptionBatch) -> Tensor:
        """The mean loss of a token."""
        logits = self.network(batch.images, batch.inputs)
        targets = batch.targets.flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=self.smoothing)


class _ShowTell(nn.Module):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        super().__init__()
        size, layers, num_words = (
            task.config.model.hidden_size,
            task.config.model.num_layers,
            len(task.tokenizer.vocabulary),
        )
        self.image = nn.Linear(task.about.num_channels, size)
        self.embedding = nn.Embedding(num_words, size)
        self.lstm = nn.LSTM(size, size, layers, dropout=rate if layers > 1 else 0.0)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, images: Tensor, inputs: Tensor) -> Tensor:
        first = self.image(F.layer_norm(images[:, 0], images.shape[-1:]))
        outputs, _ = self.lstm(self.dropout(torch.cat([first[None], self.embedding(inputs)])))
        logits: Tensor = self.softmax(self.dropout(outputs[1:]))
        return logits


class _Attend(nn.Module):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        super().__init__()
        size, layers, num_words = (
            task.config.model.hidden_size,
            task.config.model.num_layers,
            len(task.tokenizer.vocabulary),
        )
        self.image = nn.Linear(task.about.num_channels, size)
        self.initial = nn.Linear(size, 2 * layers * size)
        self.embedding = nn.Embedding(num_words, size)
        self.cells = nn.ModuleList(nn.LSTMCell(2 * size if n == 0 else size, size) for n in range(layers))
        self.key = nn.Linear(size, size, bias=False)
        self.gate = nn.Linear(size, size)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, images: Tensor, inputs: Tensor) -> Tensor:
        rows = self.dropout(self.image(F.layer_norm(images, images.shape[-1:])))
        starts = torch.tanh(self.initial(rows[:, 0])).chunk(2 * len(self.cells), -1)
        states = list(zip(starts[: len(self.cells)], starts[len(self.cells) :], strict=True))
        memory = rows[:, 1:]
        keys, feed, logits = self.key(memory), torch.zeros_like(states[0][0]), []
        for embedded in self.embedding(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

    def _step(self, inputs: Tensor, states: list[tuple[Tensor, Tensor]], memory: Tensor, keys: Tensor) -> Tensor:
        for number, cell in enumerate(self.cells):
            states[number] = cell(self.dropout(inputs), states[number])
            inputs = states[number][0]
        output = self.dropout(inputs)
        weights = (torch.bmm(keys, output[:, :, None]) / output.shape[1] ** 0.5).softmax(1)
        context = torch.sigmoid(self.gate(output)) * (weights * memory).sum(1)
        return torch.tanh(self.combine(torch.cat([context, output], -1)))
