"""The translator's training step timed beside the plainest PyTorch loop for the same network."""

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
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.model import build_translator
from lstmdrop_tasks.mt.pairs import PairBatch, Tokenizers, pad_pairs
from lstmdrop_tasks.mt.task import MachineTranslation

State = tuple[Tensor, Tensor]


class PlainTranslator(nn.Module):
    """The same network as the task's but for tied weights."""

    def __init__(self, task: MachineTranslation) -> None:
        super().__init__()
        config = task.config
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        network = _Attention if config.model.architecture == "attention" else _Sequence
        self.network = network(task, rate)
        self.smoothing = config.training.label_smoothing

    def forward(self, batch: PairBatch) -> Tensor:
        """The mean loss of a token."""
        logits = self.network(batch.source, batch.inputs)
        targets = batch.targets.flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=self.smoothing)


class _Sequence(nn.Module):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        super().__init__()
        config, vocabulary = task.config.model, task.tokenizers
        size, embedding, layers = config.hidden_size, config.embedding_size, config.num_layers
        between = rate if layers > 1 else 0.0
        self.source = nn.Embedding(len(vocabulary.source.vocabulary), embedding)
        self.target = nn.Embedding(len(vocabulary.target.vocabulary), embedding)
        self.decoder = nn.LSTM(embedding, size, layers, dropout=between)
        is_stream = config.architecture == "stream"
        self.encoder = self.decoder if is_stream else nn.LSTM(embedding, size, layers, dropout=between)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, len(vocabulary.target.vocabulary))

    def forward(self, source: Tensor, inputs: Tensor) -> Tensor:
        _, state = self.encoder(self.dropout(self.source(source)))
        outputs, _ = self.decoder(self.dropout(self.target(inputs)), state)
        logits: Tensor = self.softmax(self.dropout(outputs))
        return logits


class _Attention(nn.Module):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        super().__init__()
        config, vocabulary = task.config.model, task.tokenizers
        size, embedding, layers = config.hidden_size, config.embedding_size, config.num_layers
        self.source = nn.Embedding(len(vocabulary.source.vocabulary), embedding)
        self.target = nn.Embedding(len(vocabulary.target.vocabulary), embedding)
        between = rate if layers > 1 else 0.0
        self.encoder = nn.LSTM(embedding, size // 2, layers, bidirectional=True, dropout=between)
        self.cells = nn.ModuleList(nn.LSTMCell(embedding + size if n == 0 else size, size) for n in range(layers))
        self.key = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, len(vocabulary.target.vocabulary))

    def forward(self, source: Tensor, inputs: Tensor) -> Tensor:
        memory, final = self.encoder(self.dropout(self.source(source)))
        memory = self.dropout(memory).transpose(0, 1)
        states = [_joined(final, layer) for layer in range(len(self.cells))]
        keys, feed, logits = self.key(memory), torch.zeros_like(states[0][0]), []
        for embedded in self.target(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

    def _step(self, inputs: Tensor, states: list[State], memory: Tensor, keys: Tensor) -> Tensor:
        for number, cell in enumerate(self.cells):
            states[number] = cell(self.dropout(inputs), states[number])
            inputs = states[number][0]
        output = self.dropout(inputs)
        weights = (torch.bmm(keys, output[:, :, None]) / output.shape[1] ** 0.5).softmax(1)
        context = (weights * memory).sum(1)
        return torch.tanh(self.combine(torch.cat([context, output], -1)))


def _joined(final: State, layer: int) -> State:
    hidden, cell = (torch.cat([part[2 * layer], part[2 * layer + 1]], -1) for part in final)
    return hidden, cell


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
