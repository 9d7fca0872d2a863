"""What one would write first: nn.LSTM with its own dropout, nn.Linear, cross_entropy."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop_tasks.lm.task import LanguageModelling


class PlainLanguageModel(nn.Module):
    """The same network as the task's; it carries its state from window to window."""

    def __init__(self, task: LanguageModelling) -> None:
        super().__init__()
        config = task.config
        size, vocabulary_size = config.model.hidden_size, len(task.tokenizer.vocabulary)
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        self.embedding = nn.Embedding(vocabulary_size, size)
        self.lstm = nn.LSTM(size, size, config.model.num_layers, dropout=rate)
        self.softmax = nn.Linear(size, vocabulary_size)
        self.dropout = nn.Dropout(rate)
        self.state: tuple[Tensor, Tensor] | None = None

    def forward(self, window: Window) -> Tensor:
        """The loss summed over time, the mean over the batch."""
        outputs, state = self.lstm(self.dropout(self.embedding(window.inputs)), self.state)
        self.state = (state[0].detach(), state[1].detach())
        logits = self.softmax(self.dropout(outputs))
        return F.cross_entropy(logits.flatten(0, 1), window.targets.flatten()) * len(window.targets)
