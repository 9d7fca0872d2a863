"""The captioner's training step timed beside the plainest PyTorch loop for the same network."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.nn.decoder import PADDING
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import Speed
from lstmdrop.training.bench import median_seconds, plain_step, training_step
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.data import CaptionBatch, CaptionData, Captions, FeaturesAbout, caption_batch
from lstmdrop_tasks.caption.model import build_captioner
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


DEFAULT_VOCABULARY = 3_000
CAPTION_LENGTH = 12
NUM_BATCHES = 8
NUM_CHANNELS, NUM_POSITIONS = 1_280, 49
"""Of EfficientNet-Lite0 at 224 pixels."""


def bench(config: CaptionConfig, device: torch.device, seconds: float) -> Speed:
    """Tokens a second of both, on random features and captions of one length."""
    task = _task_on_random_words(config, device)
    batches = _random_batches(task)
    plain = PlainCaptioner(task).to(device)
    steps = [training_step(task, batches), plain_step(plain, config.training, batches)]
    ours, theirs = median_seconds(steps, seconds, device)
    num_tokens = batches[0].num_targets
    return Speed(num_tokens / ours, num_tokens / theirs, _flops_per_token(task))


def _task_on_random_words(config: CaptionConfig, device: torch.device) -> ImageCaptioning:
    size = config.data.vocabulary_size or DEFAULT_VOCABULARY
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(size - 2)))))
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    generator = torch.Generator().manual_seed(config.seed)
    model = build_captioner(config.model, NUM_CHANNELS, size, rule, generator).to(device)
    about = FeaturesAbout("noise", NUM_CHANNELS, NUM_POSITIONS)
    return ImageCaptioning(config, model, tokenizer, about, CaptionData(config, _no_corpus, device))


def _no_corpus() -> NoReturn:
    raise AssertionError("noise comes from no corpus")


def _random_batches(task: ImageCaptioning) -> list[CaptionBatch]:
    num_rows = max(1, task.config.training.batch_tokens // CAPTION_LENGTH)
    generator = np.random.default_rng(task.config.seed)
    num_image_rows = 1 + NUM_POSITIONS if task.config.model.architecture == "attend" else 1
    numbers, batches = np.arange(num_rows), []
    for _ in range(NUM_BATCHES):
        words = generator.integers(2, len(task.tokenizer.vocabulary), (num_rows, CAPTION_LENGTH))
        words[:, -1] = task.tokenizer.eos
        offsets = np.arange(0, words.size + 1, CAPTION_LENGTH)
        images = generator.standard_normal((num_rows, num_image_rows, NUM_CHANNELS), np.float32)
        captions = Captions(words.ravel(), offsets, numbers, 0)
        on_device = torch.from_numpy(images).to(task.device)
        batches.append(caption_batch(captions, numbers, on_device, task.tokenizer.eos))
    return batches


def _flops_per_token(task: ImageCaptioning) -> float:
    """Of the matrix products: one pass forward, two passes' worth backward; an image's are shared by its tokens."""
    matrices = {name: value.numel() for name, value in task.model.named_parameters() if value.dim() == 2}
    image = matrices.pop("image.weight")
    matrices.pop("decoder.embedding.weight")
    if task.config.model.tied:
        matrices["softmax"] = task.model.decoder.softmax.weight.numel()
    places = 1
    if task.config.model.architecture == "attend":
        places = 1 + NUM_POSITIONS
        image += matrices.pop("decoder.attention.key.weight")
        matrices["attention"] = 2 * NUM_POSITIONS * task.config.model.hidden_size
    return 3 * 2 * (sum(matrices.values()) + places * image / CAPTION_LENGTH)
