"""The translator's training step timed beside the plainest PyTorch loop for the same network."""

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
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.model import build_translator
from lstmdrop_tasks.mt.pairs import PairBatch, pad_pairs
from lstmdrop_tasks.mt.plain import PlainTranslator
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.tokenizers import Tokenizers

DEFAULT_VOCABULARY = 8_000
SENTENCE_LENGTH = 24
NUM_BATCHES = 8


def bench(config: MTConfig, device: torch.device, seconds: float) -> Speed:
    """Target tokens a second of both, on random sentences of one length."""
    task = _task_on_random_words(config, device)
    batches = _random_batches(task)
    plain = PlainTranslator(task).to(device)
    steps = [training_step(task, batches), plain_step(plain, config.training, batches)]
    ours, theirs = median_seconds(steps, seconds, device)
    num_tokens = batches[0].num_targets
    return Speed(num_tokens / ours, num_tokens / theirs, _flops_per_token(config, _vocabulary_size(config)))


def _vocabulary_size(config: MTConfig) -> int:
    return config.data.target_vocabulary_size or config.data.vocabulary_size or DEFAULT_VOCABULARY


def _task_on_random_words(config: MTConfig, device: torch.device) -> MachineTranslation:
    size = _vocabulary_size(config)
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(size - 2)))))
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    model = build_translator(config.model, size, size, rule, torch.Generator().manual_seed(config.seed))
    return MachineTranslation(config, model.to(device), Tokenizers(tokenizer, tokenizer), _no_corpus, device)


def _no_corpus() -> NoReturn:
    raise AssertionError("random words come from no corpus")


def _random_batches(task: MachineTranslation) -> list[PairBatch]:
    num_rows = max(1, task.config.training.batch_tokens // SENTENCE_LENGTH)
    generator = np.random.default_rng(task.config.seed)
    size, eos = len(task.tokenizers.target.vocabulary), task.tokenizers.target.eos
    shape = (2, NUM_BATCHES, num_rows, SENTENCE_LENGTH)
    words = generator.integers(2, size, shape)
    words[..., -1] = eos
    numbers = list(range(num_rows))
    return [pad_pairs(numbers, list(source), list(target), task.device) for source, target in zip(*words, strict=True)]


def _flops_per_token(config: MTConfig, vocabulary_size: int) -> int:
    """Of the matrix products for one source and one target token: one pass forward, two passes' worth backward."""
    size, embedding = config.model.hidden_size, config.model.embedding_size
    later = (config.model.num_layers - 1) * 8 * size * size
    if config.model.architecture != "attention":
        network = 2 * (4 * size * (embedding + size) + later)
    else:
        encoder = 4 * size * (embedding + size // 2) + (config.model.num_layers - 1) * 4 * size * (size + size // 2)
        decoder = 4 * size * (embedding + 2 * size) + later
        attention = size * size + 2 * SENTENCE_LENGTH * size + 2 * size * size
        network = encoder + decoder + attention
    return 3 * 2 * (network + size * vocabulary_size)
