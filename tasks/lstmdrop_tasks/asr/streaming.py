"""Recognition while the sound still comes, for models that read in one direction, word by word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.asr.audio.features import Features, FeatureStream
from lstmdrop_tasks.asr.audio.reading import Samples
from lstmdrop_tasks.asr.decoder import Decoder, Said
from lstmdrop_tasks.asr.model import frames_before
from lstmdrop_tasks.asr.task import SpeechRecognition

Follower = Callable[[LogProbs], dict[str, Any]]
"""Takes the next outputs, and describes all so far."""


def follower(decoder: Decoder, seconds_a_step: float) -> Follower:
    """Of one recording."""
    return (GreedyFollower if decoder.is_greedy else BeamFollower)(decoder, seconds_a_step)


class GreedyFollower:
    """The likeliest path, step by step: a word is final when the next one has begun."""

    def __init__(self, decoder: Decoder, seconds_a_step: float) -> None:
        self._decoder = decoder
        self._seconds_a_step = seconds_a_step
        self._final: list[dict[str, Any]] = []
        self._open: list[Said] = []
        """The tokens of the last word, and those before any word."""
        self._last = decoder.tokenizer.eos
        self._num_steps = 0
        self._log_prob = 0.0

    def __call__(self, log_probs: LogProbs) -> dict[str, Any]:
        """The words so far."""
        path = log_probs.argmax(1).tolist()
        scores = log_probs.max(1)
        for token, score in zip(path, scores.tolist(), strict=True):
            self._say(token, score)
        self._log_prob += float(scores.sum(dtype=np.float64))
        spoken = self._decoder.spoken(self._open)
        self._final += [word.timed(self._seconds_a_step) for word in spoken[:-1]]
        if len(spoken) > 1:
            self._open = self._open[spoken[-1].first :]
        words = [*self._final, *(word.timed(self._seconds_a_step) for word in spoken[-1:])]
        text = " ".join(word["word"] for word in words)
        best = {"text": text, "log_prob": self._log_prob, "score": self._log_prob}
        return {"text": text, "words": words, "hypotheses": [best]}

    def _say(self, token: int, score: float) -> None:
        if token != self._last:
            self._last = token
            if token != self._decoder.tokenizer.eos:
                self._open.append(Said(token, self._num_steps, self._num_steps + 1, [score]))
        elif token != self._decoder.tokenizer.eos:
            said = self._open[-1]
            self._open[-1] = said._replace(end=self._num_steps + 1)
            said.log_probs.append(score)
        self._num_steps += 1


class BeamFollower:
    """The search goes on where it was; which steps its best words take is worked out from the start."""

    def __init__(self, decoder: Decoder, seconds_a_step: float) -> None:
        self._decoder = decoder
        self._seconds_a_step = seconds_a_step
        self._accept = decoder.stream()
        self._parts: list[LogProbs] = []

    def __call__(self, log_probs: LogProbs) -> dict[str, Any]:
        """The hypotheses so far."""
        self._parts.append(log_probs)
        return self._decoder.describe(np.concatenate(self._parts), self._accept(log_probs), self._seconds_a_step)


def require_streamable(task: SpeechRecognition) -> None:
    """Make sure that a model need not hear the end before it can begin.

    Raises:
        UsageError: it does.
    """
    config = task.config
    if config.model.bidirectional:
        raise UsageError(
            "a bidirectional model needs the whole recording: leave --streaming out, or train one with "
            "--set model.bidirectional=false"
        )
    if config.features.normalisation == "speaker" or config.features.deltas:
        raise UsageError("streaming needs features.normalisation global or none, and features.deltas=0")


class Stream:
    """Takes sound chunk by chunk, with carried state; all outputs together are those of the whole at once."""

    def __init__(self, task: SpeechRecognition) -> None:
        """Start a recording.

        Raises:
            UsageError: the model needs to hear the end before it can begin.
        """
        require_streamable(task)
        config = task.config
        self._task = task
        self._features = FeatureStream(config.features)
        self._stride, self._stack = config.model.stride, config.model.stack
        before = frames_before(self._stack, self._stride)
        self._frames = np.zeros((before, len(task.normalisation.mean)), np.float32)
        self._num_frames = self._num_steps = 0
        self._state: LSTMState | None = None

    def accept(self, samples: Samples) -> LogProbs:
        """The ``(steps, outputs)`` that these samples at ``features.sample_rate`` Hz complete."""
        return self._take(self._features.accept(samples))

    def finish(self) -> LogProbs:
        """The last steps."""
        last = self._take(self._features.finish())
        missing = -(-self._num_frames // self._stride) - self._num_steps
        if missing == 0:
            return last
        needed = (missing - 1) * self._stride + self._stack
        padding = np.zeros((max(0, needed - len(self._frames)), self._frames.shape[1]), np.float32)
        self._frames = np.concatenate([self._frames, padding])
        return np.concatenate([last, self._run(missing)])

    def _take(self, features: Features) -> LogProbs:
        self._num_frames += len(features)
        self._frames = np.concatenate([self._frames, self._task.normalisation(features)])
        return self._run(max(0, (len(self._frames) - self._stack) // self._stride + 1))

    @torch.inference_mode()
    def _run(self, num_steps: int) -> LogProbs:
        if num_steps == 0:
            return np.zeros((0, self._task.targets.num_outputs), np.float32)
        starts = range(0, num_steps * self._stride, self._stride)
        stacked = np.stack([self._frames[start : start + self._stack].ravel() for start in starts])
        inputs = torch.from_numpy(stacked)[:, None].to(self._task.device)
        logits, self._state = self._task.model.next_logits(inputs, self._state)
        self._frames = self._frames[num_steps * self._stride :]
        self._num_steps += num_steps
        log_probs: LogProbs = self._task.targets.log_probs(logits)[:, 0].float().cpu().numpy()
        return log_probs
