"""A speech recogniser behind a server: sound files, and people who speak and see what is understood meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from lstmdrop.config import Section
from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import DataError, UsageError
from lstmdrop.service import Output, Service
from lstmdrop_tasks.asr.audio.reading import Samples
from lstmdrop_tasks.asr.config import ASRPrediction
from lstmdrop_tasks.asr.predict import follower_of, predict
from lstmdrop_tasks.asr.streaming import Stream
from lstmdrop_tasks.asr.task import SpeechRecognition

NUMPY = b"\x93NUMPY"
"""How a file of features begins."""


class TranscribeOptions(Section):
    """As those of ``predict``, which says more of them."""

    beam_size: int | None = Field(default=None, ge=1, le=100, description="prefixes kept; default: the run's")


def services(task: SpeechRecognition) -> Sequence[Service]:
    """Transcribing; while it is spoken too, where the model hears in one direction."""
    summary = "What is said in a sound file."
    live = Microphone(task) if _hears_as_it_comes(task) else None
    return [Service("transcribe", summary, "sound", TranscribeOptions, partial(_transcribe, task), live=live)]


def _hears_as_it_comes(task: SpeechRecognition) -> bool:
    try:
        Stream(task)
    except UsageError:
        return False
    return True


def _transcribe(task: SpeechRecognition, sounds: Sequence[bytes], options: TranscribeOptions) -> Sequence[Output]:
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, sound in enumerate(sounds, 1):
            path = Path(folder) / f"sound {number}{'.npy' if sound.startswith(NUMPY) else ''}"
            path.write_bytes(sound)
            names.append(str(path))
        try:
            found = list(predict([task], names, _chosen(options)))
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from None
    return [{key: value for key, value in output.items() if key != "audio"} for output in found]


def _chosen(options: TranscribeOptions, **more: Any) -> ASRPrediction:
    return ASRPrediction(**options.model_dump(exclude_none=True), **more)


class Microphone:
    """Begins sessions in which someone speaks."""

    def __init__(self, task: SpeechRecognition) -> None:
        self.rate = task.config.features.sample_rate
        self._task = task

    def __call__(self, options: TranscribeOptions) -> Speaking:
        """A session of its own."""
        return Speaking(self._task, _chosen(options, streaming=True))


class Speaking:
    """One session: the state is carried from chunk to chunk, as ``predict --streaming`` carries it."""

    def __init__(self, task: SpeechRecognition, options: ASRPrediction) -> None:
        self._rate = task.config.features.sample_rate
        self._stream, self._follow = Stream(task), follower_of(task, options)
        self._num_samples = self._num_steps = 0

    def accept(self, samples: Samples) -> Output:
        """What is understood so far."""
        self._num_samples += len(samples)
        return self._understood(self._stream.accept(samples))

    def finish(self) -> Output:
        """What was understood.

        Raises:
            DataError: less than a frame was said.
        """
        understood = self._understood(self._stream.finish())
        if self._num_steps == 0:
            raise DataError("what was said is shorter than one frame")
        return understood

    def _understood(self, log_probs: LogProbs) -> Output:
        self._num_steps += len(log_probs)
        return {**self._follow(log_probs), "seconds": round(self._num_samples / self._rate, 3)}
