"""Using speech recognition models: sound files in, text with times out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import DataError, UsageError
from lstmdrop.presets import decoding_with
from lstmdrop_tasks.asr.config import ASRPrediction
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.objectives.frames import FrameObjective, PhoneSegments
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective, mean_of_models
from lstmdrop_tasks.asr.recordings import Recording, recordings
from lstmdrop_tasks.asr.streaming import Follower, Stream, follower
from lstmdrop_tasks.asr.task import SpeechRecognition, require_alike

Models = Sequence[SpeechRecognition]

log = logging.getLogger("lstmdrop.asr")


def predict(tasks: Models, inputs: Iterable[str], options: ASRPrediction) -> Iterator[Mapping[str, Any]]:
    """The transcript of each file; ``-`` is a sound file on standard input, a blank line is passed over.

    A manifest (``.jsonl``) or a Kaldi data folder stands for its utterances, of which it tells times and speakers.

    At the end the log says how fast it was. What the caller does between two outputs is not counted.

    Raises:
        UsageError: the models cannot speak as one, or cannot do what was asked.
        DataError: files could not be read; raised after all others have been transcribed.
    """
    require_alike(tasks)
    decoding = decoding_with(tasks[0].config, options)  # refuses what does not fit before a file is read
    if isinstance(tasks[0].targets, TranscriptObjective):
        options = options.model_copy(update={"beam_size": decoding.beam_size})
    elif options.num_best > 1:
        raise UsageError("--num-best has an effect only with objective=ctc: frames write no text")
    for task in tasks:
        task.model.eval()
    unread: list[str] = []
    heard = taken = 0.0
    by_speaker = any(task.config.features.normalisation == "speaker" for task in tasks)
    for recording in recordings(inputs, by_speaker=by_speaker):
        parts = _streamed(tasks, recording, options) if options.streaming else _transcribed(tasks, recording, options)
        try:
            for found, seconds in _timed(parts):
                taken += seconds
                if found.get("final", True):
                    heard += found["seconds"]
                yield {**recording.id, **found, "audio": recording.name}
        except DataError as error:
            log.warning("%s", error)
            unread.append(recording.title)
    if heard:
        threads = torch.get_num_threads()
        log.warning(
            "%.2f s of sound in %.2f s: real-time factor %.4f on %d thread%s",
            heard, taken, taken / heard, threads, "" if threads == 1 else "s",
        )  # fmt: skip
    if unread:
        raise DataError(f"{len(unread)} of the files could not be transcribed, such as {unread[0]}")


def _timed(parts: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], float]]:
    """Each output and the seconds that it took; the last one of a file is given its real-time factor."""
    total, started = 0.0, time.perf_counter()
    for found in parts:
        seconds = time.perf_counter() - started
        total += seconds
        if found.get("final", True):
            found["real_time_factor"] = round(total / found["seconds"], 5)
        yield found, seconds
        started = time.perf_counter()


def _transcribed(tasks: Models, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    members = [_log_probs(task, recording) for task in tasks]
    log_probs = mean_of_models([torch.from_numpy(member) for member, _ in members]).numpy()
    seconds = members[0][1]
    found = _describe(tasks[0], log_probs, options, round(seconds / _shift(tasks[0])))
    yield {**found, "seconds": round(seconds, 3)}


def _describe(task: SpeechRecognition, log_probs: LogProbs, options: ASRPrediction, num_frames: int) -> dict[str, Any]:
    if isinstance(task.targets, FrameObjective):
        return _phones(PhoneSegments(task.targets, _shift(task)).add(log_probs, num_frames))
    decoder = _decoder(task, options)
    return decoder.describe(log_probs, decoder.decode(log_probs), _shift(task) * task.config.model.stride)


def _phones(segments: list[dict[str, Any]]) -> dict[str, Any]:
    return {"text": " ".join(segment["phone"] or "-" for segment in segments), "phones": segments}


def _streamed(tasks: Models, recording: Recording, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    """What is understood so far, after each chunk."""
    if len(tasks) > 1:
        raise UsageError("--streaming takes one run")
    task = tasks[0]
    rate = task.config.features.sample_rate
    samples = recording.samples(rate)
    stream, size = Stream(task), max(1, round(options.chunk * rate))
    follow = _follower(task, options)
    parts: list[LogProbs] = []
    whole: LogProbs = np.zeros((0, 0), np.float32)
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size]
        is_last, heard = start + size >= len(samples), min(start + size, len(samples)) / rate
        parts.append(stream.accept(chunk))
        if is_last:
            whole = np.concatenate([*parts, stream.finish()])
            if len(whole) == 0:
                raise DataError(f"{recording.title}: shorter than one frame")
        found = _describe(task, whole, options, round(heard / _shift(task))) if is_last else follow(parts[-1])
        yield {**found, "seconds": round(heard, 3), "final": is_last}


def _follower(task: SpeechRecognition, options: ASRPrediction) -> Follower:
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
