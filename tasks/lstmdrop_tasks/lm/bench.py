"""The language model's work timed beside the plainest PyTorch loops for the same network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lstmdrop.contest import Contest, Rival, Step
from lstmdrop.data.batching import Window, stream_windows
from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.sampling import SamplingOptions, sample
from lstmdrop.training.bench import endless, on_each, plain_step, training_step, weight_bytes
from lstmdrop_tasks.lm.adaptation import SCORING_WINDOW
from lstmdrop_tasks.lm.config import LMConfig
from lstmdrop_tasks.lm.rivals import PlainLanguageModel
from lstmdrop_tasks.lm.softmax import lstm_flops, softmax_flops
from lstmdrop_tasks.lm.task import LanguageModelling, build

VOCABULARY_SIZE = 10_000
NUM_WINDOWS = 40
DRAWN, STREAMS = 50, 16
"""Tokens of a text that is written, and texts that are written together."""


def bench(config: LMConfig, device: torch.device) -> list[Contest]:
    """On random words, as many different ones as the paper has unless ``data.vocabulary_size`` says another number."""
    task = task_on_random_words(config, device)
    training = config.training
    num_tokens = training.batch_size // training.accumulate * training.num_steps
    size, num_bytes = len(task.tokenizer.vocabulary), weight_bytes(task.model)
    flops = lstm_flops(config) + softmax_flops(config, size)
    scoring = (lstm_flops(config) + softmax_flops(_as_scored(config), size)) / 3
    windows = partial(random_windows, task, training.batch_size, training.num_steps, training.accumulate)
    scored = partial(random_windows, task, 1, SCORING_WINDOW)
    first = torch.arange(STREAMS, device=device) % len(task.tokenizer.vocabulary)
    plain = partial(_plain, task)
    return [
        Contest(
            "train", "tokens",
            Rival(lambda: training_step(task, windows), num_tokens),
            Rival(lambda: plain_step(plain().train(), training, windows), num_tokens),
            flops, 5 * num_bytes,  # forward, backward, its gradient, and read and written by the optimiser
            held_bytes=_held_bytes(task, num_tokens),
        ),
        Contest(
            "score", "tokens",
            Rival(lambda: _scoring(task, scored), SCORING_WINDOW),
            Rival(lambda: on_each(plain().log_probs, scored, None), SCORING_WINDOW),
            scoring, num_bytes,
        ),
        Contest(
            "decode", "tokens",
            Rival(lambda: on_each(partial(text, task), [first], training), DRAWN * STREAMS),
            Rival(lambda: on_each(partial(plain().text, number=DRAWN), [first], None), DRAWN * STREAMS),
            scoring, DRAWN * num_bytes, 1,
        ),
    ]  # fmt: skip


def _plain(task: LanguageModelling) -> PlainLanguageModel:
    return PlainLanguageModel(task).to(task.device).take_weights(task)


def _scoring(task: LanguageModelling, windows: partial[Iterator[Window]]) -> Step:
    task.model.eval()
    state, coming = None, endless(windows)

    def score(_: None) -> Tensor:
        nonlocal state
        window = next(coming)
        log_probs, state = task.model.log_probs(window.inputs, window.targets, state)
        return log_probs

    return on_each(score, [None], task.config.training)


def text(task: LanguageModelling, first: Tensor) -> Tensor:
    """The likeliest `DRAWN` tokens after ``first``, as ``predict`` writes them at the lowest temperature."""
    task.model.eval()
    options = SamplingOptions(temperature=0.0)
    return sample(task.model.next_logits, first[None], DRAWN, options, list(range(len(first))))


def task_on_random_words(config: LMConfig, device: torch.device) -> LanguageModelling:
    """A language model with fresh weights whose words have no text."""
    size = config.data.vocabulary_size or VOCABULARY_SIZE
    with tempfile.TemporaryDirectory() as folder:
        WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(size - 2))))).save(Path(folder))
        return build(config, Path(folder), device, None)


def random_windows(task: LanguageModelling, batch_size: int, num_steps: int, num_parts: int = 1) -> Iterator[Window]:
    """Windows of one length, made as those of training are."""
    generator = np.random.default_rng(task.config.seed)
    num_tokens = batch_size * (num_steps * NUM_WINDOWS + 1)
    shares = 1 / np.arange(1, len(task.tokenizer.vocabulary) + 1)  # as words come in a text (Zipf 1935)
    tokens = generator.choice(len(shares), num_tokens, p=shares / shares.sum()).astype(np.int32)
    return stream_windows(tokens, batch_size, num_steps, task.device, num_parts)


def _held_bytes(task: LanguageModelling, num_tokens: int) -> float:
    """Weights and gradients; of each token the logits, and of each layer four gates, two states and the input."""
    model = task.config.model
    of_a_token = len(task.tokenizer.vocabulary) + 7 * model.num_layers * model.hidden_size
    return 4.0 * (2 * sum(weight.numel() for weight in task.model.parameters()) + num_tokens * of_a_token)


def _as_scored(config: LMConfig) -> LMConfig:
    """A sampled softmax is whole where it scores."""
    is_sampled = config.model.softmax == "sampled"
    return (
        config.model_copy(update={"model": config.model.model_copy(update={"softmax": "full"})})
        if is_sampled
        else config
    )
