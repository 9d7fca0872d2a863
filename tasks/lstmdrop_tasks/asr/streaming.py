"""Recognition while the sound still comes, for models that read in one direction."""

from __future__ import annotations

import numpy as np
import torch

from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.asr.audio.features import Features, FeatureStream
from lstmdrop_tasks.asr.audio.reading import Samples
from lstmdrop_tasks.asr.model import frames_before
from lstmdrop_tasks.asr.task import SpeechRecognition


class Stream:
    """Takes sound chunk by chunk, with carried state; all outputs together are those of the whole at once."""

    def __init__(self, task: SpeechRecognition) -> None:
        """Start a recording.

        Raises:
            UsageError: the model needs to hear the end before it can begin.
        """
        config = task.config
        if config.model.bidirectional:
            raise UsageError("a bidirectional model needs the whole recording: train with model.bidirectional=false")
        if config.features.normalisation == "speaker" or config.features.deltas:
            raise UsageError("streaming needs features.normalisation global or none, and features.deltas=0")
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
