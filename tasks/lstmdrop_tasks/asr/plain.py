"""What one would write first: padded batches through nn.LSTM, nn.Linear and PyTorch's losses."""

from __future__ import annotations

from itertools import cycle

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.model import stack_frames
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.task import SpeechRecognition


class PlainRecogniser:
    """The same network as the task's, trained by the plainest loop."""

    def __init__(self, task: SpeechRecognition, batches: list[SpeechBatch]) -> None:
        self.network = _Network(task).to(task.device)
        self.parameters = list(self.network.parameters())
        self.training = task.config.training
        optimizer = torch.optim.AdamW if self.training.optimizer == "adamw" else torch.optim.SGD
        self.optimizer = optimizer(self.parameters, lr=self.training.rate)
        self.task = task
        self.batches = cycle(batches)

    def step(self) -> None:
        """One update."""
        torch.set_flush_denormal(False)
        batch = next(self.batches)
        loss = self._loss(self.network(batch.features), batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.training.clip)
        self.optimizer.step()

    def _loss(self, logits: Tensor, batch: SpeechBatch) -> Tensor:
        targets = self.task.targets
        if isinstance(targets, TranscriptObjective):
            lengths = torch.full((logits.shape[1],), len(logits))
            return F.ctc_loss(
                logits.log_softmax(-1), batch.targets.T, lengths, batch.target_lengths, blank=targets.blank
            )
        stride = self.task.config.model.stride
        by_frame = logits.view(*logits.shape[:2], stride, -1).transpose(1, 2).flatten(0, 1)[: len(batch.targets)]
        return F.cross_entropy(by_frame.flatten(0, 1), batch.targets.flatten())


class _Network(nn.Module):
    def __init__(self, task: SpeechRecognition) -> None:
        super().__init__()
        config = task.config
        model = config.model
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        self.stack, self.stride = model.stack, model.stride
        self.dropout = nn.Dropout(rate)
        self.lstm = nn.LSTM(
            model.stack * len(task.normalisation.mean), model.hidden_size, model.num_layers,
            bidirectional=model.bidirectional, dropout=rate if model.num_layers > 1 else 0.0,
        )  # fmt: skip
        self.softmax = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), task.targets.num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.dropout(stack_frames(features, self.stack, self.stride)))
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits
