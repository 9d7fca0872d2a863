"""The recogniser's work timed beside the plainest PyTorch and Python loops for the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from lstmdrop.contest import Contest, Rival, Step
from lstmdrop.data.tokenizers.words import CharacterTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.training.bench import on_each, training_and_scoring
from lstmdrop_tasks.asr.audio.features import Normalisation
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.model import AcousticModel
from lstmdrop_tasks.asr.objectives.frames import FrameObjective
from lstmdrop_tasks.asr.objectives.objective import Objective, SpeechBatch, pad_utterances
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.rivals import PlainRecogniser, plain_decoded
from lstmdrop_tasks.asr.speech import Speech
from lstmdrop_tasks.asr.task import SpeechRecognition

NUM_PHONES = 43
LETTERS = " 'abcdefghijklmnopqrstuvwxyz"
NUM_FRAMES = 600
"""Of every utterance: six seconds."""
FRAMES_A_LETTER = 12
NUM_BATCHES = 4


UTTERANCES = 8
BEAMS = (1, 5, 12)
SURE = 7.0
"""By so much a letter, or the blank, stands out of the noise in what is decoded: as after training."""


def bench(config: ASRConfig, device: torch.device) -> list[Contest]:
    """On random utterances of six seconds; what is decoded are outputs as of a trained network, without its time."""
    task = task_on_noise(config, device)
    num_frames = max(1, config.training.batch_frames // NUM_FRAMES) * NUM_FRAMES
    batches, plain = partial(random_batches, task), partial(_plain, task)
    flops = _flops_per_frame(task)
    searches = BEAMS if isinstance(task.targets, TranscriptObjective) else ()
    return [
        *training_and_scoring(task, plain, batches, partial(log_probs, task), "frames", num_frames, flops),
        *(
            Contest(
                "decode", "utterances",
                Rival(partial(_ours_decoding, task, beam), 1),
                Rival(partial(_plain_decoding, task, beam), 1),
                0.0, 0.0, beam,
            )
            for beam in searches
        ),
    ]  # fmt: skip


def _plain(task: SpeechRecognition) -> PlainRecogniser:
    return PlainRecogniser(task).to(task.device).take_weights(task)


def log_probs(task: SpeechRecognition, batch: SpeechBatch) -> Tensor:
    """Of every output at every step, in nats, as a score computes them."""
    task.model.eval()
    return task.targets.log_probs(task.model(batch.features, batch.lengths))


def random_outputs(task: SpeechRecognition) -> list[LogProbs]:
    """Of some utterances, ``(steps, tokens)``: now and then a letter is likely, else the blank."""
    targets = task.targets
    assert isinstance(targets, TranscriptObjective)
    rng = np.random.default_rng(task.config.seed)
    num_steps = -(-NUM_FRAMES // task.config.model.stride)
    found = []
    for _ in range(UTTERANCES):
        scores = rng.standard_normal((num_steps, targets.num_outputs), np.float32)
        said = np.full(num_steps, targets.blank)
        places = rng.choice(num_steps, NUM_FRAMES // FRAMES_A_LETTER, replace=False)
        said[places] = rng.integers(2, targets.num_outputs, len(places))
        scores[np.arange(num_steps), said] += SURE
        found.append(torch.from_numpy(scores).log_softmax(-1).numpy())
    return found


def decoded(task: SpeechRecognition, beam: int, outputs: LogProbs) -> list[int]:
    """The tokens of an utterance, as `predict` finds them."""
    assert isinstance(task.targets, TranscriptObjective)
    decoder = task.targets.decoder(task.config.decoding.model_copy(update={"beam_size": beam}))
    return list(decoder.decode(outputs)[0].tokens)


def _ours_decoding(task: SpeechRecognition, beam: int) -> Step:
    return on_each(partial(decoded, task, beam), random_outputs(task), task.config.training)


def _plain_decoding(task: SpeechRecognition, beam: int) -> Step:
    assert isinstance(task.targets, TranscriptObjective)
    return on_each(partial(plain_decoded, task.targets.blank, beam), random_outputs(task), None)


def task_on_noise(config: ASRConfig, device: torch.device) -> SpeechRecognition:
    """A recogniser with fresh weights that hears noise."""
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


def random_batches(task: SpeechRecognition) -> Iterator[SpeechBatch]:
    """Made one after the other, as those of training are."""
    num_rows = max(1, task.config.training.batch_frames // NUM_FRAMES)
    rng = np.random.default_rng(task.config.seed)
    size = len(task.normalisation.mean)
    is_frames = task.config.objective == "frames"
    length = NUM_FRAMES if is_frames else NUM_FRAMES // FRAMES_A_LETTER
    low, high = (0, NUM_PHONES) if is_frames else (2, len(LETTERS) + 2)
    sounds = rng.standard_normal((NUM_BATCHES, num_rows, NUM_FRAMES, size), np.float32)
    said = rng.integers(low, high, (NUM_BATCHES, num_rows, length))
    numbers = list(range(num_rows))
    return (
        pad_utterances(numbers, list(features), list(targets), task.device)
        for features, targets in zip(sounds, said, strict=True)
    )


def _flops_per_frame(task: SpeechRecognition) -> float:
    """Of the matrix products forward."""
    matrices = [parameter for parameter in task.model.parameters() if parameter.dim() == 2]
    return 2 * sum(matrix.numel() for matrix in matrices) / task.config.model.stride
