"""The captioner's work timed beside the plainest PyTorch loops for the same network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from lstmdrop.contest import Contest, Rival, Step
from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.nn.decoder import decoder_log_probs
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.training.bench import on_each, training_and_scoring, weight_bytes
from lstmdrop.training.plain import PlainWriter
from lstmdrop_tasks.caption.captioning import caption
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.data import CaptionBatch, CaptionData, Captions, FeaturesAbout, caption_batch
from lstmdrop_tasks.caption.model import build_captioner
from lstmdrop_tasks.caption.rivals import plain_captioner, weights_of
from lstmdrop_tasks.caption.task import ImageCaptioning

DEFAULT_VOCABULARY = 3_000
CAPTION_LENGTH = 12
NUM_BATCHES = 8
NUM_CHANNELS, NUM_POSITIONS = 1_280, 49
"""Of EfficientNet-Lite0 at 224 pixels."""
IMAGES = 16
"""Captioned together."""
BEAMS = (1, 5, 12)


def bench(config: CaptionConfig, device: torch.device) -> list[Contest]:
    """On random features and captions of one length, at which those that are written are cut."""
    task = task_on_random_words(config, device)
    num_tokens = max(1, config.training.batch_tokens // CAPTION_LENGTH) * CAPTION_LENGTH
    batches, plain = partial(random_batches, task), partial(plain_network, task)
    image, token = _flops(task)
    read, written = (weight_bytes(part) for part in (task.model, task.model.decoder))
    return [
        *training_and_scoring(
            task, plain, batches, partial(log_probs, task), "tokens", num_tokens, token + image / CAPTION_LENGTH
        ),
        *(
            Contest(
                "decode", "captions",
                Rival(partial(_ours_captioning, task, beam), IMAGES),
                Rival(partial(_plain_captioning, task, plain, beam), 1),
                image + CAPTION_LENGTH * beam * token, CAPTION_LENGTH * written + read - written, beam,
            )
            for beam in BEAMS
        ),
    ]  # fmt: skip


def plain_network(task: ImageCaptioning) -> PlainWriter[CaptionBatch]:
    """With the task's weights."""
    plain = plain_captioner(task)
    plain.take_weights(weights_of(task))
    return plain.eval()


def log_probs(task: ImageCaptioning, batch: CaptionBatch) -> Tensor:
    """Of the targets, in nats, as a score computes them."""
    task.model.eval()
    return decoder_log_probs(task.decoder, batch.inputs, batch.targets, task.model.encode(batch.images))


def captions(task: ImageCaptioning, beam: int, images: Tensor) -> list[list[int]]:
    """The tokens of each image's caption, all images together."""
    settings = BeamSettings(beam, task.config.decoding.length_penalty)
    return [list(best.tokens) for best, *_ in caption([task], [images], settings, CAPTION_LENGTH)]


def plain_caption(task: ImageCaptioning, network: PlainWriter[CaptionBatch], beam: int, image: Tensor) -> list[int]:
    """Of one image."""
    settings = BeamSettings(beam, task.config.decoding.length_penalty)
    return network.best(image[None], task.tokenizer.eos, task.tokenizer.unk, CAPTION_LENGTH, settings)


def _ours_captioning(task: ImageCaptioning, beam: int) -> Step:
    return on_each(partial(captions, task, beam), [random_images(task, IMAGES)], task.config.training)


def _plain_captioning(task: ImageCaptioning, plain: partial[PlainWriter[CaptionBatch]], beam: int) -> Step:
    return on_each(partial(plain_caption, task, plain(), beam), list(random_images(task, IMAGES)), None)


def task_on_random_words(config: CaptionConfig, device: torch.device) -> ImageCaptioning:
    """A captioner with fresh weights whose words and images come from nowhere."""
    size = config.data.vocabulary_size or DEFAULT_VOCABULARY
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(size - 2)))))
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    generator = torch.Generator().manual_seed(config.seed)
    model = build_captioner(config.model, NUM_CHANNELS, size, rule, generator).to(device)
    about = FeaturesAbout("noise", NUM_CHANNELS, NUM_POSITIONS)
    return ImageCaptioning(config, model, tokenizer, about, CaptionData(config, _no_corpus, device))


def _no_corpus() -> NoReturn:
    raise AssertionError("noise comes from no corpus")


def random_images(task: ImageCaptioning, number: int) -> Tensor:
    """What the network reads of so many images: ``(images, rows, channels)``."""
    num_rows = 1 + NUM_POSITIONS if task.config.model.architecture == "attend" else 1
    generator = np.random.default_rng(task.config.seed)
    images = generator.standard_normal((number, num_rows, NUM_CHANNELS), np.float32)
    return torch.from_numpy(images).to(task.device)


def random_batches(task: ImageCaptioning) -> Iterator[CaptionBatch]:
    """Made one after the other, as those of training are; the images are the same in all."""
    num_rows = max(1, task.config.training.batch_tokens // CAPTION_LENGTH)
    images = random_images(task, num_rows)
    generator, numbers = np.random.default_rng(task.config.seed), np.arange(num_rows)
    for _ in range(NUM_BATCHES):
        words = generator.integers(2, len(task.tokenizer.vocabulary), (num_rows, CAPTION_LENGTH))
        words[:, -1] = task.tokenizer.eos
        offsets = np.arange(0, words.size + 1, CAPTION_LENGTH)
        yield caption_batch(Captions(words.ravel(), offsets, numbers, 0), numbers, images, task.tokenizer.eos)


def _flops(task: ImageCaptioning) -> tuple[float, float]:
    """Of the matrix products forward, for an image and for a token."""
    matrices = {name: value.numel() for name, value in task.model.named_parameters() if value.dim() == 2}
    image = matrices.pop("image.weight")
    matrices.pop("decoder.embedding.weight")
    if task.config.model.tied:
        matrices["softmax"] = task.model.decoder.softmax.weight.numel()
    if task.config.model.architecture == "attend":
        initial = matrices.pop("initial.weight")
        image = (1 + NUM_POSITIONS) * (image + matrices.pop("decoder.attention.key.weight")) + initial
        matrices["attention"] = 2 * NUM_POSITIONS * task.config.model.hidden_size
    return 2 * image, 2 * sum(matrices.values())
