"""The translator's work timed beside the plainest PyTorch loops for the same network."""

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
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.model import build_translator
from lstmdrop_tasks.mt.pairs import PairBatch, Tokenizers, pad_pairs
from lstmdrop_tasks.mt.rivals import plain_translator, weights_of
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import LONGEST_MORE, search_settings, translate

DEFAULT_VOCABULARY = 8_000
SENTENCE_LENGTH = 24
NUM_BATCHES = 8
SENTENCES = 16
"""Searched together."""
BEAMS = (1, 5, 12)


def bench(config: MTConfig, device: torch.device) -> list[Contest]:
    """On random sentences of one length; translations are cut at it, as one without training would not end."""
    task = task_on_random_words(config, device)
    rows = max(1, config.training.batch_tokens // SENTENCE_LENGTH)
    num_tokens = rows * SENTENCE_LENGTH
    batches = partial(random_batches, task)
    plain = partial(plain_network, task)
    encoder, decoder = _flops_per_token(config, _vocabulary_size(config))
    read, written = (weight_bytes(part) for part in (task.model, task.model.decoder))
    return [
        *training_and_scoring(task, plain, batches, partial(log_probs, task), "tokens", num_tokens, encoder + decoder),
        *(
            Contest(
                "decode", "sentences",
                Rival(partial(_ours_translating, task, beam), SENTENCES),
                Rival(partial(_plain_translating, task, plain, beam), 1),
                SENTENCE_LENGTH * (encoder + beam * decoder), SENTENCE_LENGTH * written + read - written, beam,
            )
            for beam in BEAMS
        ),
    ]  # fmt: skip


def plain_network(task: MachineTranslation) -> PlainWriter[PairBatch]:
    """With the task's weights."""
    plain = plain_translator(task)
    plain.take_weights(weights_of(task))
    return plain.eval()


def log_probs(task: MachineTranslation, batch: PairBatch) -> Tensor:
    """Of the targets, in nats, as a score computes them."""
    task.model.eval()
    state = task.model.encode(batch.source, batch.source_lengths)
    return decoder_log_probs(task.decoder, batch.inputs, batch.targets, state)


def _settings(task: MachineTranslation, beam: int) -> BeamSettings:
    chosen = search_settings(task.config)
    return BeamSettings(beam, chosen.length_penalty)


def random_sources(task: MachineTranslation, number: int) -> list[str]:
    """Sentences of one length, of all words but the unknown one."""
    size = len(task.tokenizers.source.vocabulary)
    words = np.random.default_rng(task.config.seed).integers(2, size, (number, SENTENCE_LENGTH - 1))
    return [" ".join(f"w{word - 2}" for word in row) for row in words.tolist()]


def translations(task: MachineTranslation, beam: int, lines: list[str]) -> list[list[int]]:
    """The tokens of each line's translation, all lines together."""
    ratio = (SENTENCE_LENGTH - LONGEST_MORE) / SENTENCE_LENGTH
    found = translate([task], lines, _settings(task, beam), SENTENCES, ratio)
    return [list(best.tokens) for best, *_ in found]


def plain_translation(task: MachineTranslation, network: PlainWriter[PairBatch], beam: int, line: str) -> list[int]:
    """Of one line."""
    source, target = task.tokenizers.source, task.tokenizers.target
    tokens = torch.tensor([*source.encode(line), source.eos], device=task.device)
    return network.best(tokens[:, None], target.eos, target.unk, SENTENCE_LENGTH, _settings(task, beam))


def _ours_translating(task: MachineTranslation, beam: int) -> Step:
    task.model.eval()
    return on_each(partial(translations, task, beam), [random_sources(task, SENTENCES)], task.config.training)


def _plain_translating(task: MachineTranslation, plain: partial[PlainWriter[PairBatch]], beam: int) -> Step:
    network = plain()
    return on_each(partial(plain_translation, task, network, beam), random_sources(task, SENTENCES), None)


def _vocabulary_size(config: MTConfig) -> int:
    return config.data.target_vocabulary_size or config.data.vocabulary_size or DEFAULT_VOCABULARY


def task_on_random_words(config: MTConfig, device: torch.device) -> MachineTranslation:
    """A translator with fresh weights whose words have no text."""
    size = _vocabulary_size(config)
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(size - 2)))))
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    model = build_translator(config.model, size, size, rule, torch.Generator().manual_seed(config.seed))
    return MachineTranslation(config, model.to(device), Tokenizers(tokenizer, tokenizer), _no_corpus, device)


def _no_corpus() -> NoReturn:
    raise AssertionError("random words come from no corpus")


def random_batches(task: MachineTranslation) -> Iterator[PairBatch]:
    """Made one after the other, as those of training are."""
    num_rows = max(1, task.config.training.batch_tokens // SENTENCE_LENGTH)
    generator = np.random.default_rng(task.config.seed)
    size, eos = len(task.tokenizers.target.vocabulary), task.tokenizers.target.eos
    words = generator.integers(2, size, (2, NUM_BATCHES, num_rows, SENTENCE_LENGTH))
    words[..., -1] = eos
    numbers = list(range(num_rows))
    return (pad_pairs(numbers, list(source), list(target), task.device) for source, target in zip(*words, strict=True))


def _flops_per_token(config: MTConfig, vocabulary_size: int) -> tuple[int, int]:
    """Of the matrix products forward: the encoder's for a source token, the decoder's for a target token."""
    size, embedding = config.model.hidden_size, config.model.embedding_size
    later = (config.model.num_layers - 1) * 8 * size * size
    if config.model.architecture != "attention":
        encoder = 4 * size * (embedding + size) + later
        decoder = encoder
    else:
        encoder = 4 * size * (embedding + size // 2) + (config.model.num_layers - 1) * 4 * size * (size + size // 2)
        encoder += size * size  # the keys
        decoder = 4 * size * (embedding + 2 * size) + later + 2 * SENTENCE_LENGTH * size + 2 * size * size
    return 2 * encoder, 2 * (decoder + size * vocabulary_size)
