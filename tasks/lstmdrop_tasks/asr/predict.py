"""Using speech recognition models: sound files in, text with times out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import DataError, UsageError
from lstmdrop.presets import decoding_with
from lstmdrop_tasks.asr.config import PAUSE, SUBTITLES, ASRPrediction
from lstmdrop_tasks.asr.decoder import WEIGHT_OF, Decoder, later
from lstmdrop_tasks.asr.documents import Output, spoken
from lstmdrop_tasks.asr.objectives.frames import FrameObjective, PhoneSegments
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective, mean_of_models
from lstmdrop_tasks.asr.recordings import STANDARD_INPUT, Recording, recordings
from lstmdrop_tasks.asr.streaming import Follower, Stream, follower, require_streamable
from lstmdrop_tasks.asr.task import SpeechRecognition, require_alike
from lstmdrop_tasks.asr.tuning import DEFAULT_BEAM

Models = Sequence[SpeechRecognition]

LONGEST_SILENCE = 30.0
"""Seconds without a word after which live recognition begins anew: a search keeps all that it has heard."""

log = logging.getLogger("lstmdrop.asr")


def predict(tasks: Models, inputs: Iterable[str], options: ASRPrediction) -> Iterator[Mapping[str, Any]]:
    """The transcript of each file; ``-`` is sound on standard input, a blank line is passed over.

    A manifest (``.jsonl``) or a Kaldi data folder stands for its utterances, of which it tells times and speakers.

    At the end the log says how fast it was. What the caller does between two outputs is not counted.

    Raises:
        UsageError: the models cannot speak as one, or cannot do what was asked.
        DataError: files could not be read; raised after all others have been transcribed.
    """
    require_alike(tasks)
    options = _checked(tasks, inputs, options)  # refuses what does not fit before a file is read
    for task in tasks:
        task.model.eval()
    output = Output(options, inputs)
    unread: list[str] = []
    heard = taken = 0.0
    for recording in recordings(
        inputs,
        by_speaker=any(task.config.features.normalisation == "speaker" for task in tasks),
        by_channel=options.by_channel,
        live=options.streaming,
        raw_rate=options.raw_rate,
        allow_commands=options.allow_commands,
    ):
        output.begin(recording)
        own_seconds = 0.0
        try:
            for found, seconds in _timed(_found(tasks, recording, options), recording):
                taken += seconds
                own_seconds = found["seconds"] if found.get("final", True) else own_seconds
                yield output.of({**recording.id, **found, "audio": recording.name})
        except DataError as error:
            log.warning("%s", error)
            unread.append(recording.title)
        heard += own_seconds
    if heard:
        threads = torch.get_num_threads()
        log.warning(
            "%.2f s of sound in %.2f s: real-time factor %.4f on %d thread%s",
            heard, taken, taken / heard, threads, "" if threads == 1 else "s",
        )  # fmt: skip
    if unread:
        raise DataError(f"{len(unread)} of the files could not be transcribed, such as {unread[0]}")


def _checked(tasks: Models, inputs: Iterable[str], options: ASRPrediction) -> ASRPrediction:
    """The options, with the beam that the search has."""
    if options.streaming:
        if len(tasks) > 1:
            raise UsageError("--streaming takes one run")
        require_streamable(tasks[0])
    if options.raw_rate is not None and isinstance(inputs, Sequence) and STANDARD_INPUT not in inputs:
        raise UsageError("--raw-rate has an effect only with -, which is standard input")
    decoding = decoding_with(tasks[0].config, options)
    if not isinstance(tasks[0].targets, TranscriptObjective):
        if options.num_best > 1:
            raise UsageError("--num-best has an effect only with objective=ctc: frames write no text")
        return options
    advised = [name for name, weight in WEIGHT_OF.items() if getattr(options, name) and getattr(decoding, weight)]
    beam_size = decoding.beam_size
    if advised and beam_size == 1 and options.beam_size is None:
        beam_size = DEFAULT_BEAM
        log.warning("the beam is %d for --%s, the run's 1", beam_size, advised[0].replace("_", "-"))
    options = options.model_copy(update={"beam_size": beam_size})
    tasks[0].targets.decoder(decoding_with(tasks[0].config, options), options.num_best)
    return options


def _timed(parts: Iterator[dict[str, Any]], recording: Recording) -> Iterator[tuple[dict[str, Any], float]]:
    """Each output and the seconds that it took; a final one is given the real-time factor so far."""
    total, started, waited = 0.0, time.perf_counter(), 0.0
    for found in parts:
        seconds = time.perf_counter() - started
        if recording.live is not None:
            seconds, waited = seconds - (recording.live.waited - waited), recording.live.waited
        total += seconds
        if found.get("final", True):
            found["real_time_factor"] = round(total / found["seconds"], 5)
        yield found, seconds
        started = time.perf_counter()


def _found(tasks: Models, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    if not options.streaming:
        return _transcribed(tasks, recording, options)
    return (_streamed if recording.live is None else _live)(tasks[0], recording, options)


def _transcribed(tasks: Models, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    members = [_log_probs(task, recording) for task in tasks]
    log_probs = mean_of_models([torch.from_numpy(member) for member, _ in members]).numpy()
    seconds = members[0][1]
    found = _describe(tasks[0], log_probs, options, round(seconds / _shift(tasks[0])))
    yield {**found, "seconds": round(seconds, 3)}


def _describe(task: SpeechRecognition, log_probs: LogProbs, options: ASRPrediction, num_frames: int) -> dict[str, Any]:
    if isinstance(task.targets, FrameObjective):
        return _phones(PhoneSegments(task.targets, _shift(task)).add(log_probs, num_frames))
    pause = options.pause or (PAUSE if options.format in SUBTITLES else math.inf)
    return _decoder(task, options).describe_utterances(log_probs, _shift(task) * task.config.model.stride, pause)


def _phones(segments: list[dict[str, Any]]) -> dict[str, Any]:
    return {"text": " ".join(segment["phone"] or "-" for segment in segments), "phones": segments}


def _streamed(task: SpeechRecognition, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    """What is understood so far, after each chunk of a file."""
    rate = task.config.features.sample_rate
    stream, follow = Stream(task), follower_of(task, options)
    parts: list[LogProbs] = []
    whole: LogProbs = np.zeros((0, 0), np.float32)
    num_samples = 0
    for samples, is_last in recording.blocks(options.chunk, rate):
        num_samples += len(samples)
        heard = num_samples / rate
        parts.append(stream.accept(samples))
        if is_last:
            whole = np.concatenate([*parts, stream.finish()])
            _require_steps(recording, len(whole))
        found = _describe(task, whole, options, round(heard / _shift(task))) if is_last else follow(parts[-1])
        yield {**found, "seconds": round(heard, 3), "final": is_last}


def _live(task: SpeechRecognition, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    """What is understood since the last pause, after each chunk that has come; final where there is a pause again."""
    rate, seconds_a_step = task.config.features.sample_rate, _shift(task) * task.config.model.stride
    stream, follow = Stream(task), follower_of(task, options)
    num_samples = num_steps = begin = 0
    for samples, is_last in recording.blocks(options.chunk, rate):
        num_samples += len(samples)
        outputs = stream.accept(samples)
        if is_last:
            outputs = np.concatenate([outputs, stream.finish()])
        num_steps += len(outputs)
        if is_last:
            _require_steps(recording, num_steps)
        found = later(follow(outputs), begin * seconds_a_step)
        words = spoken(found)
        is_over = is_last or (bool(words) and num_steps * seconds_a_step - words[-1]["end"] >= (options.pause or PAUSE))
        yield {**found, "seconds": round(num_samples / rate, 3), "final": is_over}
        if is_over or (not words and (num_steps - begin) * seconds_a_step >= LONGEST_SILENCE):
            follow, begin = follower_of(task, options), num_steps


def _require_steps(recording: Recording, num_steps: int) -> None:
    if num_steps == 0:
        raise DataError(f"{recording.title}: shorter than one frame")


def follower_of(task: SpeechRecognition, options: ASRPrediction) -> Follower:
    """Describes what a model hears of one recording while it comes."""
    if not isinstance(task.targets, FrameObjective):
        return follower(_decoder(task, options), _shift(task) * task.config.model.stride)
    segments = PhoneSegments(task.targets, _shift(task))
    return lambda log_probs: _phones(segments.add(log_probs, len(log_probs) * task.config.model.stride))


def _decoder(task: SpeechRecognition, options: ASRPrediction) -> Decoder:
    if not isinstance(task.targets, TranscriptObjective):
        raise UsageError("a run that was trained on frames writes no text")
    return task.targets.decoder(decoding_with(task.config, options), options.num_best)


@torch.inference_mode()
def _log_probs(task: SpeechRecognition, recording: Recording) -> tuple[LogProbs, float]:
    config = task.config.features
    features, seconds = recording.features(config)
    if features.shape[1] != len(task.normalisation.mean):
        size = len(task.normalisation.mean)
        raise DataError(f"{recording.title}: {features.shape[1]} features a frame; the run has {size}")
    normalised = recording.normalisation(features, config, task.normalisation)(features)
    frames = torch.from_numpy(normalised)[:, None].to(task.device)
    logits = task.model(frames, torch.tensor([len(features)]))
    return task.targets.log_probs(logits)[:, 0].float().cpu().numpy(), seconds


def _shift(task: SpeechRecognition) -> float:
    return task.config.features.frame_shift / 1000
