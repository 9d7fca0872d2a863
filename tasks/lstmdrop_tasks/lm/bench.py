"""The language model's training step timed beside the plainest PyTorch loop for the same network."""

from __future__ import annotations

import random
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop.plugin import Speed
from lstmdrop.training.bench import median_seconds, plain_step, training_step
from lstmdrop_tasks.lm.config import LMConfig
from lstmdrop_tasks.lm.softmax import lstm_flops, softmax_flops
from lstmdrop_tasks.lm.task import LanguageModelling, build


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
            self.lstm = nn.ModuleList([nn.LSTM(width, size, config.model.num_layers, dropout=rate)])
        else:
            self.lstm = nn.ModuleList(nn.LSTM(below, above) for below, above in pairwise(sizes))
        self.softmax = nn.Linear(top, vocabulary_size)
        if config.model.tied:
            self.softmax.weight = self.embedding.weight
        self.dropout = nn.Dropout(rate)
        self.states: list[tuple[Tensor, Tensor] | None] = [None] * len(self.lstm)

    def forward(self, window: Window) -> Tensor:
        """The loss summed over time, the mean over the batch."""
        outputs = self.dropout(self.embedding(window.inputs))
        for number, layer in enumerate(self.lstm):
            outputs, (hidden, cell) = layer(outputs, self.states[number])
            self.states[number] = (hidden.detach(), cell.detach())
            outputs = self.dropout(outputs)
        logits = self.softmax(outputs)
        return F.cross_entropy(logits.flatten(0, 1), window.targets.flatten()) * len(window.targets)


VOCABULARY_SIZE = 10_000
NUM_WINDOWS = 40


def bench(config: LMConfig, device: torch.device, seconds: float) -> Speed:
    """Tokens a second of both, on random words with the paper's vocabulary size."""
    with tempfile.TemporaryDirectory() as folder:
        task = _task_on_random_words(config, Path(folder), device)
        windows = list(task.batches("train"))[:-1]  # the last one is shorter
        plain = PlainLanguageModel(task).to(device)
        steps = [training_step(task, windows), plain_step(plain, config.training, windows)]
        ours, theirs = median_seconds(steps, seconds, device)
    tokens = windows[0].targets.numel()
    return Speed(tokens / ours, tokens / theirs, _flops_per_token(config, len(task.tokenizer.vocabulary)))


def _task_on_random_words(config: LMConfig, folder: Path, device: torch.device) -> LanguageModelling:
    training = config.training
    num_tokens = training.batch_size * (training.num_steps * NUM_WINDOWS + training.num_steps // 2)
    words = [f"w{number}" for number in range(VOCABULARY_SIZE - 2)]
    text = words + random.Random(config.seed).choices(words, k=max(0, num_tokens - len(words)))
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text(" ".join(text), encoding="utf-8")
    assets = folder / "assets"
    assets.mkdir()
    data = config.data.model_copy(update={"name": str(folder), "min_count": 1})
    return build(config.model_copy(update={"data": data}), assets, device, None)


def _flops_per_token(config: LMConfig, vocabulary_size: int) -> int:
    """Multiplications and additions of the matrix products: one pass forward, two passes' worth backward."""
    return lstm_flops(config) + softmax_flops(config, vocabulary_size)
