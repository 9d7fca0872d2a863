"""The plainest PyTorch language model: what the toolkit is timed against."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop_tasks.lm.task import LanguageModelling

State = tuple[Tensor, Tensor]


class PlainLanguageModel(nn.Module):
    """The same network as the task's; it carries its state from window to window."""

    def __init__(self, task: LanguageModelling) -> None:
        super().__init__()
        config = task.config
        size, vocabulary_size = config.model.hidden_size, len(task.tokenizer.vocabulary)
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        width, top = task.model.embedding.embedding_dim, task.model.lstm.output_size
        sizes = [width, *[size] * (config.model.num_layers - 1), top]
        self.embedding = nn.Embedding(vocabulary_size, width)
        if top == size:
            between = rate if config.model.num_layers > 1 else 0.0
            self.lstm = nn.ModuleList([nn.LSTM(width, size, config.model.num_layers, dropout=between)])
        else:
            self.lstm = nn.ModuleList(nn.LSTM(below, above) for below, above in pairwise(sizes))
        self.softmax = nn.Linear(top, vocabulary_size)
        if config.model.tied:
            self.softmax.weight = self.embedding.weight
        self.dropout = nn.Dropout(rate)
        self.states: list[State | None] = [None] * len(self.lstm)

    def forward(self, window: Window) -> Tensor:
        """The loss summed over time, the mean over the batch."""
        logits = self.logits(window.inputs)
        return F.cross_entropy(logits.flatten(0, 1), window.targets.flatten()) * len(window.targets)

    def logits(self, inputs: Tensor) -> Tensor:
        """Of the next token at each step."""
        outputs = self.dropout(self.embedding(inputs))
        for number, layer in enumerate(self.lstm):
            outputs, (hidden, cell) = layer(outputs, self.states[number])
            self.states[number] = (hidden.detach(), cell.detach())
            outputs = self.dropout(outputs)
        logits: Tensor = self.softmax(outputs)
        return logits

    def log_probs(self, window: Window) -> Tensor:
        """Of the targets, in nats."""
        return self.logits(window.inputs).log_softmax(-1).gather(-1, window.targets[..., None])[..., 0]

    def text(self, first: Tensor, number: int) -> Tensor:
        """The likeliest tokens after ``first``, so many, one after the other."""
        self.states = [None] * len(self.lstm)
        tokens, found = first, []
        for _ in range(number):
            tokens = self.logits(tokens[None])[0].argmax(-1)
            found.append(tokens)
        return torch.stack(found)

    @torch.no_grad()
    def take_weights(self, task: LanguageModelling) -> PlainLanguageModel:
        """Those of the task, which then gives the same numbers."""
        own = (parameter for name, parameter in task.model.named_parameters() if name.startswith("lstm"))
        for parameter, weight in zip(self.lstm.parameters(), own, strict=True):
            parameter.copy_(weight)
        self.embedding.load_state_dict(task.model.embedding.state_dict())
        state = task.model.softmax.state_dict()
        if "weight" in state:  # beside an adaptive softmax stands a full one, for no plain loop has another
            self.softmax.load_state_dict({name: state[name] for name in ("weight", "bias")})
        return self.eval()
