"""The paper's task (Zaremba et al. 2014, section 4.2): the phone of every frame, and the segments that they make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lstmdrop.data.atomic import atomic_file
from lstmdrop.decoding.ctc import LogProbs
from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.word_error_rate import frame_accuracy_score
from lstmdrop.parsing import read_json_document, to_json
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.asr.audio.store import FeatureStore
from lstmdrop_tasks.asr.corpora.utterances import Utterance
from lstmdrop_tasks.asr.objectives.objective import PADDING, SpeechBatch

PHONES = "phones.json"
UNKNOWN = -1
"""A phone that the training data lacks: always a mistake, never trained on."""


class FrameObjective:
    """Cross-entropy against the phone of every frame; a step speaks for all ``stride`` frames that it stands for."""

    unit = "frames"
    unknown = UNKNOWN

    def __init__(self, phones: Sequence[str], stride: int) -> None:
        self.phones = tuple(phones)
        self.stride = stride
        self.num_infinite = 0
        self._numbers = {phone: number for number, phone in enumerate(self.phones)}

    @property
    def num_outputs(self) -> int:
        """One for every phone, for every frame of the step."""
        return self.stride * len(self.phones)

    @property
    def labels(self) -> Labels:
        """The phones, and the frames that have none."""
        return Labels(len(self.phones), none=(UNKNOWN, PADDING))

    @property
    def fingerprint(self) -> str:
        """Identity of the phones."""
        return hashlib.sha256(json.dumps(self.phones).encode()).hexdigest()

    def targets(self, utterance: Utterance, store: FeatureStore, number: int) -> npt.NDArray[np.int64]:
        """The phone of each frame."""
        ids = np.array([self._numbers.get(phone, UNKNOWN) for phone in store.phones], np.int64)
        return ids[store.phones_of(number)]

    def misfit(self, utterance: Utterance, num_frames: int) -> str:
        """Nothing: every labelled frame can be trained on."""
        return ""

    def loss(self, logits: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> Loss:
        """Summed over frames; its gradient is their mean."""
        by_frame = self.by_frame(logits, len(batch.features))
        total, count = _summed_loss(by_frame, batch.targets)
        return Loss(total, count=count, divisor=count)

    def log_probs(self, logits: Float[Tensor, "steps batch outputs"]) -> Float[Tensor, "steps batch outputs"]:
        """Normalised frame by frame."""
        return _split(logits, self.stride).log_softmax(-1).flatten(-2)

    def scorer(self, utterances: Sequence[Utterance], how: Mapping[str, str]) -> FrameScorer:
        """Counts frames."""
        return FrameScorer(self, utterances, how)

    def summary(self) -> dict[str, str]:
        """The number of phones."""
        return {"objective": f"the phone of every frame, one of {len(self.phones)}"}

    def by_frame(self, outputs: Tensor, num_frames: int) -> Tensor:
        """Outputs of each frame, ``(time, batch, phones)``."""
        return _split(outputs, self.stride).transpose(1, 2).flatten(0, 1)[:num_frames]


def _summed_loss(by_frame: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """The cross-entropy of the frames whose phone the training data has, and their number."""
    known = torch.where(targets < 0, PADDING, targets).flatten()
    total = F.cross_entropy(by_frame.flatten(0, 1).float(), known, ignore_index=PADDING, reduction="sum")
    return total, int((known != PADDING).sum())


def _split(outputs: Tensor, stride: int) -> Tensor:
    return outputs.view(*outputs.shape[:-1], stride, outputs.shape[-1] // stride)  # -1 would need a step


class FrameScorer:
    """Counts the frames that got their phone."""

    def __init__(self, objective: FrameObjective, utterances: Sequence[Utterance], how: Mapping[str, str]) -> None:
        self.objective = objective
        self.how = how
        self.lines: dict[int, str] = {}
        self.names = [utterance.id for utterance in utterances]
        self.num_correct = self.num_frames = self.num_known = 0
        self.loss = 0.0

    def add(self, log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> None:
        """Count the frames of some utterances."""
        by_frame = self.objective.by_frame(log_probs, len(batch.features))
        predicted = by_frame.argmax(-1)
        self.num_correct += int((predicted == batch.targets).sum())
        self.num_frames += int((batch.targets != PADDING).sum())
        loss, num_known = _summed_loss(by_frame, batch.targets)
        self.loss += float(loss)
        self.num_known += num_known
        columns = predicted.cpu()
        for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)):
            phones = (self.objective.phones[phone] or "-" for phone in columns[:length, column].tolist())
            self.lines[number] = " ".join(phones)

    def scores(self, outputs: Path | None) -> list[Score]:
        """Frame accuracy, and the loss of a frame in nats.

        The predictions are one utterance a line: its id, then the phone of each frame.
        """
        if outputs is not None:
            text = "".join(f"{self.names[number]} {line}\n" for number, line in sorted(self.lines.items()))
            (outputs / "predictions.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
        how = {"utterances": str(len(self.lines)), "classes": str(len(self.objective.phones)), **self.how}
        accuracy = frame_accuracy_score(self.num_correct, self.num_frames, how)
        loss = self.loss / max(1, self.num_known)
        return [accuracy, replace(accuracy, name="frame_loss", value=loss, higher_is_better=False)]


def save_phones(phones: Sequence[str], assets: Path) -> None:
    """Write what `load_phones` reads."""
    with atomic_file(assets / PHONES) as handle:
        handle.write(to_json(sorted(phones), ensure_ascii=False).encode() + b"\n")


def load_phones(assets: Path) -> list[str]:
    """The phones of a run.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = assets / PHONES
    try:
        return [str(phone) for phone in read_json_document(path)]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: the phones cannot be read ({error})") from None


class PhoneSegments:
    """Takes the outputs of a recording piece by piece."""

    def __init__(self, objective: FrameObjective, frame_shift: float) -> None:
        self._objective = objective
        self._frame_shift = frame_shift
        self._segments: list[dict[str, Any]] = []
        self._phone = -1
        self._start = self._end = 0
        self._total = 0.0

    def add(self, log_probs: LogProbs, num_frames: int) -> list[dict[str, Any]]:
        """Each phone so far, with its start and end in seconds and the mean probability of its frames."""
        by_frame = self._objective.by_frame(torch.from_numpy(log_probs)[:, None], num_frames)[:, 0]
        best = by_frame.max(-1)
        for phone, confidence in zip(best.indices.tolist(), best.values.exp().tolist(), strict=True):
            if phone != self._phone:
                self._segments += self._open()
                self._phone, self._start, self._total = phone, self._end, 0.0
            self._end += 1
            self._total += confidence
        return [*self._segments, *self._open()]

    def _open(self) -> list[dict[str, Any]]:
        if self._end == self._start:
            return []
        return [
            {
                "phone": self._objective.phones[self._phone],
                "start": round(self._start * self._frame_shift, 3),
                "end": round(self._end * self._frame_shift, 3),
                "confidence": round(self._total / (self._end - self._start), 4),
            }
        ]
