"""Using speech recognition models: sound files in, text with times out."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from lstmdrop.config import decoding_with
from lstmdrop.decoding.ctc import CTCHypothesis, LogProbs
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.audio.features import Features, compute_features, read_features
from lstmdrop_tasks.asr.audio.normalisation import Normalisation
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.config import ASRPrediction
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.objectives.frames import FrameObjective
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective, mean_of_models
from lstmdrop_tasks.asr.phone_segments import phone_segments
from lstmdrop_tasks.asr.streaming import Stream
from lstmdrop_tasks.asr.task import SpeechRecognition, require_alike

Models = Sequence[SpeechRecognition]
STANDARD_INPUT = "-"
Source = Path | BinaryIO

log = logging.getLogger("lstmdrop.asr")


def predict(tasks: Models, inputs: Iterable[str], options: ASRPrediction) -> Iterator[Mapping[str, Any]]:
    """The transcript of each file; ``-`` is a sound file on standard input, a blank line is passed over.

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
    for name in filter(str.strip, inputs):
        parts = _streamed(tasks, name, options) if options.streaming else _transcribed(tasks, name, options)
        try:
            for found, seconds in _timed(parts):
                taken += seconds
                if found.get("final", True):
                    heard += found["seconds"]
                yield found
        except DataError as error:
            log.warning("%s", error)
            unread.append(_title(name))
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


def _transcribed(tasks: Models, name: str, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    source = _source(name)
    members = [_log_probs(task, source) for task in tasks]
    log_probs = mean_of_models([torch.from_numpy(member) for member, _ in members]).numpy()
    seconds = members[0][1]
    found = _describe(tasks[0], log_probs, options, round(seconds / _shift(tasks[0])))
    yield {**found, "audio": name, "seconds": round(seconds, 3)}


def _describe(
    task: SpeechRecognition,
    log_probs: LogProbs,
    options: ASRPrediction,
    num_frames: int,
    hypotheses: Sequence[CTCHypothesis] = (),
) -> dict[str, Any]:
    if isinstance(task.targets, FrameObjective):
        segments = phone_segments(task.targets, log_probs, num_frames, _shift(task))
        return {"text": " ".join(segment["phone"] or "-" for segment in segments), "phones": segments}
    decoder = _decoder(task, options)
    hypotheses = hypotheses or decoder.decode(log_probs)
    seconds_a_step = _shift(task) * task.config.model.stride
    return {
        "text": decoder.text(hypotheses[0]),
        "words": decoder.words(log_probs, hypotheses[0].tokens, seconds_a_step),
        "hypotheses": [{"text": decoder.text(one), "log_prob": one.log_prob, "score": one.score} for one in hypotheses],
    }


def _streamed(tasks: Models, name: str, options: ASRPrediction) -> Iterator[dict[str, Any]]:
    """What is understood so far, after each chunk."""
    if len(tasks) > 1:
        raise UsageError("--streaming takes one run")
    task = tasks[0]
    rate = task.config.features.sample_rate
    samples = read_audio(_source(name), rate)
    stream, size = Stream(task), max(1, round(options.chunk * rate))
    follow = _decoder(task, options).stream() if isinstance(task.targets, TranscriptObjective) else None
    parts: list[LogProbs] = []
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size]
        is_last = start + size >= len(samples)
        new = [stream.accept(chunk), *([stream.finish()] if is_last else [])]
        parts += new
        so_far, heard = np.concatenate(parts), min(start + size, len(samples)) / rate
        num_frames = len(so_far) * task.config.model.stride
        if is_last:
            if len(so_far) == 0:
                raise DataError(f"{_title(name)}: shorter than one frame")
            num_frames = round(heard / _shift(task))
        found = _describe(task, so_far, options, num_frames, follow(np.concatenate(new)) if follow else ())
        yield {**found, "audio": name, "seconds": round(heard, 3), "final": is_last}


def _decoder(task: SpeechRecognition, options: ASRPrediction) -> Decoder:
    if not isinstance(task.targets, TranscriptObjective):
        raise UsageError("a run that was trained on frames writes no text")
    return task.targets.decoder(decoding_with(task.config, options), options.num_best)


@torch.inference_mode()
def _log_probs(task: SpeechRecognition, source: Source) -> tuple[LogProbs, float]:
    features, seconds = _features(task, source)
    if features.shape[1] != len(task.normalisation.mean):
        size = len(task.normalisation.mean)
        raise DataError(f"{_title(source)}: {features.shape[1]} features a frame; the run has {size}")
    is_own = task.config.features.normalisation == "speaker"
    normalised = (Normalisation.of(features) if is_own else task.normalisation)(features)
    frames = torch.from_numpy(normalised)[:, None].to(task.device)
    logits = task.model(frames, torch.tensor([len(features)]))
    return task.targets.log_probs(logits)[:, 0].float().cpu().numpy(), seconds


def _features(task: SpeechRecognition, source: Source) -> tuple[Features, float]:
    config = task.config.features
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        features = read_features(source, config)
        return features, len(features) * _shift(task)
    if not isinstance(source, Path):
        source.seek(0)
    samples = read_audio(source, config.sample_rate)
    features = compute_features(samples, config)
    if len(features) == 0:
        raise DataError(f"{_title(source)}: shorter than one frame")
    return features, len(samples) / config.sample_rate


def _source(name: str) -> Source:
    return io.BytesIO(sys.stdin.buffer.read()) if name == STANDARD_INPUT else Path(name)


def _title(source: Source | str) -> str:
    is_named = isinstance(source, str | Path) and source != STANDARD_INPUT
    return str(source) if is_named else "standard input"


def _shift(task: SpeechRecognition) -> float:
    return task.config.features.frame_shift / 1000
