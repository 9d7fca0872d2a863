"""Weights of the search, chosen by word error rate on held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import UsageError
from lstmdrop.metrics.word_error_rate import NO_ERRORS, normalise_transcript, word_errors
from lstmdrop.task import Split
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective
from lstmdrop_tasks.asr.task import SpeechRecognition, log_prob_batches, require_alike

LM_WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3)
LENGTH_BONUSES = (0.0, 0.5, 1.0, 1.5)
DEFAULT_BEAM = 8
"""Where the settings have no beam of their own."""


def tune(tasks: Sequence[SpeechRecognition], split: Split) -> Mapping[str, Any]:
    """The LM weight and length bonus of least word error rate, the smaller ones where several are equal.

    Raises:
        UsageError: the run was trained on frames, so nothing is searched.
    """
    require_alike(tasks)
    first = tasks[0]
    if not isinstance(first.targets, TranscriptObjective):
        raise UsageError("--tune-on is for runs that write transcripts, and this one was trained on frames")
    config = first.config.decoding
    beam_size = config.beam_size if config.beam_size > 1 else DEFAULT_BEAM
    outputs = _outputs(tasks, split)
    references = {n: normalise_transcript(first.speech.utterances(split)[n].text or "") for n in outputs}
    best: tuple[int, float, float] | None = None
    for weight, bonus in product(LM_WEIGHTS if config.lm else (0.0,), LENGTH_BONUSES):
        chosen = config.model_copy(update={"beam_size": beam_size, "lm_weight": weight, "length_bonus": bonus})
        found = (_num_errors(first.targets, chosen, outputs, references), weight, bonus)
        best = found if best is None else min(best, found)
    assert best is not None
    _, weight, bonus = best
    chosen_weight = {"decoding.lm_weight": weight} if config.lm else {}
    return {"decoding.beam_size": beam_size, **chosen_weight, "decoding.length_bonus": bonus}


def _num_errors(
    targets: TranscriptObjective,
    config: ASRDecodingConfig,
    outputs: Mapping[int, LogProbs],
    references: Mapping[int, str],
) -> int:
    decoder = targets.decoder(config)
    errors = NO_ERRORS
    for number, log_probs in outputs.items():
        (best,) = decoder.decode(log_probs)
        errors += word_errors(references[number], normalise_transcript(decoder.text(best)))
    return errors.total


def _outputs(tasks: Sequence[SpeechRecognition], split: Split) -> dict[int, LogProbs]:
    """Of every utterance, what the models say at each step."""
    stride = tasks[0].config.model.stride
    outputs: dict[int, LogProbs] = {}
    for log_probs, batch in log_prob_batches(tasks, split):
        arrays = log_probs.float().cpu().numpy()
        for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)):
            outputs[number] = arrays[: -(-length // stride), column]
    return outputs
