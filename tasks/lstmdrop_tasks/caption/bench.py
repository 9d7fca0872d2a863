"""The captioner's training step timed beside the plainest PyTorch loop for the same network."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch

from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import Speed
from lstmdrop.training.plain_step import plain_step
from lstmdrop.training.stopwatch import median_seconds
from lstmdrop.training.training_step import training_step
from lstmdrop_tasks.caption.captions import CaptionBatch, Captions, caption_batch
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.data import CaptionData
from lstmdrop_tasks.caption.features_about import FeaturesAbout
from lstmdrop_tasks.caption.model import build_captioner
from lstmdrop_tasks.caption.plain import PlainCaptioner
from lstmdrop_tasks.caption.task import ImageCaptioning

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
