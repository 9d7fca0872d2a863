"""What one would write first: padded batches through nn.LSTM, nn.Linear and PyTorch's losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.model import stack_frames
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.task import SpeechRecognition


class PlainRecogniser(nn.Module):
    """The same network as the task's."""

    def __init__(self, task: SpeechRecognition) -> None:
        super().__init__()
        self.targets, model, regularizer = task.targets, task.config.model, task.config.regularizer
        rate = 0.0 if regularizer.rule == "none" else regularizer.dropout
        self.stack, self.stride = model.stack, model.stride
        self.dropout = nn.Dropout(rate)
        self.lstm = nn.LSTM(
            model.stack * len(task.normalisation.mean), model.hidden_size, model.num_layers,
            bidirectional=model.bidirectional, dropout=rate if model.num_layers > 1 else 0.0,
        )  # fmt: skip
        self.softmax = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), task.targets.num_outputs)

    def forward(self, batch: SpeechBatch) -> Tensor:
        """The mean loss of a batch."""
        logits = self._logits(batch.features)
        if isinstance(self.targets, TranscriptObjective):
            lengths = torch.full((logits.shape[1],), len(logits))
            return F.ctc_loss(
                logits.log_softmax(-1), batch.targets.T, lengths, batch.target_lengths, blank=self.targets.blank
            )
        by_frame = logits.view(*logits.shape[:2], self.stride, -1).transpose(1, 2).flatten(0, 1)[: len(batch.targets)]
        return F.cross_entropy(by_frame.flatten(0, 1), batch.targets.flatten())

    def _logits(self, features: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.dropout(stack_frames(features, self.stack, self.stride)))
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits
