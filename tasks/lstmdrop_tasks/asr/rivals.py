"""The plainest PyTorch recogniser, and the plainest search in Python: what the toolkit is timed against."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.decoding.ctc import LogProbs, collapse
from lstmdrop_tasks.asr.decoder import PRUNE
from lstmdrop_tasks.asr.model import stack_frames
from lstmdrop_tasks.asr.objectives.objective import SpeechBatch
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
        if isinstance(self.targets, TranscriptObjective):
            logits = self._logits(batch.features)
            lengths = torch.full((logits.shape[1],), len(logits))
            return F.ctc_loss(
                logits.log_softmax(-1), batch.targets.T, lengths, batch.target_lengths, blank=self.targets.blank
            )
        return F.cross_entropy(self._by_frame(batch).flatten(0, 1), batch.targets.flatten())

    def log_probs(self, batch: SpeechBatch) -> Tensor:
        """Of every output at every step, in nats."""
        if isinstance(self.targets, TranscriptObjective):
            return self._logits(batch.features).log_softmax(-1)
        logits = self._logits(batch.features)
        return logits.view(*logits.shape[:2], self.stride, -1).log_softmax(-1).flatten(-2)

    @torch.no_grad()
    def take_weights(self, task: SpeechRecognition) -> PlainRecogniser:
        """Those of the task, which then gives the same numbers."""
        for own, parameter in zip(self.parameters(), task.model.parameters(), strict=True):
            own.copy_(parameter)  # both lay the directions out one after the other
        return self.eval()

    def _by_frame(self, batch: SpeechBatch) -> Tensor:
        logits = self._logits(batch.features)
        return logits.view(*logits.shape[:2], self.stride, -1).transpose(1, 2).flatten(0, 1)[: len(batch.targets)]

    def _logits(self, features: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.dropout(stack_frames(features, self.stack, self.stride)))
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits


def plain_decoded(blank: int, beam: int, outputs: LogProbs) -> list[int]:
    """The same by the loop of tutorials (Hannun et al. 2014, algorithm 1), which keeps prefixes in a dictionary."""
    if beam == 1:
        return list(collapse(outputs.argmax(1).tolist(), blank))
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for step in outputs.astype(np.float64).tolist():
        likely = [token for token, score in enumerate(step) if score >= max(step) - PRUNE and token != blank]
        longer: dict[tuple[int, ...], list[list[float]]] = defaultdict(lambda: [[], []])
        for prefix, (ends_blank, ends_token) in kept.items():
            longer[prefix][0] += [ends_blank + step[blank], ends_token + step[blank]]
            if prefix:
                longer[prefix][1].append(ends_token + step[prefix[-1]])
            for token in likely:
                is_again = bool(prefix) and token == prefix[-1]
                longer[(*prefix, token)][1] += [
                    end + step[token] for end in ([ends_blank] if is_again else [ends_blank, ends_token])
                ]
        summed = {prefix: (_log_sum(blanks), _log_sum(tokens)) for prefix, (blanks, tokens) in longer.items()}
        best: list[tuple[int, ...]] = sorted(summed, key=lambda prefix: -_log_sum(summed[prefix]))[:beam]
        kept = {prefix: summed[prefix] for prefix in best}
    likeliest = max(kept, key=lambda prefix: _log_sum(kept[prefix]))
    return list(likeliest)


def _log_sum(values: list[float] | tuple[float, ...]) -> float:
    largest = max(values, default=-math.inf)
    if largest == -math.inf:
        return largest
    return largest + math.log(sum(math.exp(value - largest) for value in values))
