"""Weights of the search, chosen by word error rate on held-out data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from lstmdrop.config import Split
from lstmdrop.data.work_progress import report_work
from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import UsageError
from lstmdrop.metrics.word_error_rate import character_errors, word_errors
from lstmdrop_tasks.asr.decoder import WEIGHT_OF, AdviserName, Decoder
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.task import SpeechRecognition, log_prob_batches, require_alike

LANGUAGE_MODELS: Sequence[AdviserName] = ("lm", "arpa")
LM_WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3)
LENGTH_BONUSES = (0.0, 0.5, 1.0, 1.5)
DEFAULT_BEAM = 8
"""Where the settings have no beam of their own."""


def tune(tasks: Sequence[SpeechRecognition], split: Split) -> Mapping[str, Any]:
    """The LM weights and length bonus of least word error rate, then character error rate, then the smaller ones.

    Raises:
        UsageError: the run was trained on frames, so nothing is searched.
    """
    require_alike(tasks)
    first = tasks[0]
    if not isinstance(first.targets, TranscriptObjective):
        raise UsageError("--tune-on is for runs that write transcripts, and this one was trained on frames")
    config = first.config.decoding
    beam_size = config.beam_size if config.beam_size > 1 else DEFAULT_BEAM
    grid = {WEIGHT_OF[name]: LM_WEIGHTS for name in LANGUAGE_MODELS if getattr(config, name) is not None}
    settings = [
        {"beam_size": beam_size, **dict(zip((*grid, "length_bonus"), values, strict=True))}
        for values in product(*grid.values(), LENGTH_BONUSES)
    ]
    decoders = [first.targets.decoder(config.model_copy(update=chosen)) for chosen in settings]
    num_errors = [(0, 0)] * len(decoders)
    for number, log_probs in _outputs(tasks, split):
        reference = first.targets.normalise(first.speech.utterances(split)[number].text)
        for place, heard in enumerate(_transcripts(decoders, log_probs)):
            words, characters = num_errors[place]
            hypothesis = first.targets.normalise(heard)
            num_errors[place] = (
                words + word_errors(reference, hypothesis).total,
                characters + character_errors(reference, hypothesis).total,
            )
    best = min(range(len(settings)), key=lambda place: (num_errors[place], tuple(settings[place].values())))
    return {f"decoding.{name}": value for name, value in settings[best].items()}


def _transcripts(decoders: Sequence[Decoder], log_probs: LogProbs) -> Iterator[str]:
    """What each decoder hears; the language model reads for all of them together, and forgets after."""
    start = next((decoder.scorer.start() for decoder in decoders if decoder.scorer), None)
    for decoder in decoders:
        (best,) = decoder.decode(log_probs, start)
        yield decoder.text(best)


def _outputs(tasks: Sequence[SpeechRecognition], split: Split) -> Iterator[tuple[int, LogProbs]]:
    """Of every utterance, what the models say at each step."""
    first = tasks[0]
    total = len(first.speech.usable(split, first.targets))
    done = 0
    for log_probs, batch in log_prob_batches(tasks, split):
        arrays = log_probs.float().cpu().numpy()
        for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)):
            report_work(f"tuning on {split}", done, total)
            yield number, arrays[: -(-length // first.config.model.stride), column]
            done += 1
    report_work(f"tuning on {split}", done, total)
