"""The recogniser's training step timed beside the plainest PyTorch loop for the same network."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.tokenizers.words import CharacterTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import Speed
from lstmdrop.training.bench import median_seconds, plain_step, training_step
from lstmdrop_tasks.asr.audio.features import Normalisation
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.model import AcousticModel, stack_frames
from lstmdrop_tasks.asr.objectives.frames import FrameObjective
from lstmdrop_tasks.asr.objectives.objective import Objective, SpeechBatch, pad_utterances
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.speech import Speech
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


NUM_PHONES = 43
LETTERS = " 'abcdefghijklmnopqrstuvwxyz"
NUM_FRAMES = 600
"""Of every utterance: six seconds."""
FRAMES_A_LETTER = 12
NUM_BATCHES = 4


def bench(config: ASRConfig, device: torch.device, seconds: float) -> Speed:
    """Frames a second of both, on random utterances of six seconds."""
    task = _task_on_noise(config, device)
    batches = _random_batches(task)
    plain = PlainRecogniser(task).to(device)
    steps = [training_step(task, batches), plain_step(plain, config.training, batches)]
    ours, theirs = median_seconds(steps, seconds, device)
    num_frames = int(batches[0].lengths.sum())
    return Speed(num_frames / ours, num_frames / theirs, _flops_per_frame(task))


def _task_on_noise(config: ASRConfig, device: torch.device) -> SpeechRecognition:
    size = config.features.num_filters * (1 + config.features.deltas)
    objective = _objective(config)
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    generator = torch.Generator().manual_seed(config.seed)
    model = AcousticModel(config.model, size, objective.num_outputs, rule, generator).to(device)
    return SpeechRecognition(config, model, objective, Normalisation.identity(size), Speech(config, _no_corpus), device)


def _objective(config: ASRConfig) -> Objective:
    if config.objective == "frames":
        return FrameObjective([f"P{number}" for number in range(NUM_PHONES)], config.model.stride)
    tokenizer = CharacterTokenizer(Vocabulary((EOS, UNK, *LETTERS)))
    return TranscriptObjective(tokenizer, config.model.stride, config.decoding)


def _no_corpus() -> NoReturn:
    raise AssertionError("noise comes from no corpus")


def _random_batches(task: SpeechRecognition) -> list[SpeechBatch]:
    num_rows = max(1, task.config.training.batch_frames // NUM_FRAMES)
    rng = np.random.default_rng(task.config.seed)
    size = len(task.normalisation.mean)
    is_frames = task.config.objective == "frames"
    length = NUM_FRAMES if is_frames else NUM_FRAMES // FRAMES_A_LETTER
    low, high = (0, NUM_PHONES) if is_frames else (2, len(LETTERS) + 2)
    return [
        pad_utterances(
            list(range(num_rows)),
            list(rng.standard_normal((num_rows, NUM_FRAMES, size), np.float32)),
            list(rng.integers(low, high, (num_rows, length))),
            task.device,
        )
        for _ in range(NUM_BATCHES)
    ]


def _flops_per_frame(task: SpeechRecognition) -> float:
    """Of the matrix products: one pass forward, two passes' worth backward."""
    matrices = [parameter for parameter in task.model.parameters() if parameter.dim() == 2]
    return 3 * 2 * sum(matrix.numel() for matrix in matrices) / task.config.model.stride
