"""Batches of utterances, and what a training objective does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.metrics.score import Score
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.asr.audio.features import Features
from lstmdrop_tasks.asr.audio.store import FeatureStore
from lstmdrop_tasks.asr.corpora.utterances import Utterance

PADDING = -100
"""No target."""


class SpeechBatch(NamedTuple):
    """Utterances, one a column; behind its end an utterance is silence: zeros."""

    features: Float[Tensor, "time batch features"]
    lengths: Int[Tensor, " batch"]
    """Frames of each, on the CPU."""
    targets: Int[Tensor, "targets batch"]
    """Phones of the frames, or tokens of the transcript; `PADDING` behind the end."""
    target_lengths: Int[Tensor, " batch"]
    """On the CPU."""
    numbers: Int[Tensor, " batch"]
    """Which utterances of the split these are, on the CPU."""

    @property
    def num_rows(self) -> int:
        """The number of utterances."""
        return self.features.shape[1]

    def some_rows(self, rows: slice) -> SpeechBatch:
        """Some of the utterances alone, without the silence that they do not need."""
        lengths, target_lengths = self.lengths[rows], self.target_lengths[rows]
        return SpeechBatch(
            self.features[: int(lengths.max()), rows],
            lengths,
            self.targets[: int(target_lengths.max()), rows],
            target_lengths,
            self.numbers[rows],
        )


def pad_utterances(
    numbers: Sequence[int],
    features: Sequence[Features],
    targets: Sequence[npt.NDArray[np.int64]],
    device: torch.device,
) -> SpeechBatch:
    """A batch of these utterances."""
    frames, lengths = _columns(features, 0.0, np.float32)
    target, target_lengths = _columns(targets, PADDING, np.int64)
    return SpeechBatch(frames.to(device), lengths, target.to(device), target_lengths, torch.tensor(numbers))


def _columns(rows: Sequence[npt.NDArray[np.generic]], padding: float, dtype: type) -> tuple[Tensor, Tensor]:
    lengths = [len(row) for row in rows]
    columns = np.full((max(lengths), len(rows), *rows[0].shape[1:]), padding, dtype)
    for number, row in enumerate(rows):
        columns[: len(row), number] = row
    return torch.from_numpy(columns), torch.tensor(lengths)


class Objective(Protocol):
    """Targets, the loss against them, and scores."""

    unit: str
    """What the targets are, in the plural."""
    num_infinite: int
    """Training losses that had to be left out so far because they were not finite."""

    @property
    def unknown(self) -> int:
        """The target that stands for what the training data lacked."""
        ...

    @property
    def num_outputs(self) -> int:
        """Of the softmax, at every step of the network."""
        ...

    @property
    def labels(self) -> Labels:
        """What may be among the targets."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identity of what the outputs mean."""
        ...

    def targets(self, utterance: Utterance, store: FeatureStore, number: int) -> npt.NDArray[np.int64]:
        """What the network is to say of an utterance, which is ``number`` in ``store``."""
        ...

    def misfit(self, utterance: Utterance, num_frames: int) -> str:
        """Why an utterance cannot be trained on; empty if it can."""
        ...

    def loss(self, logits: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> Loss:
        """The summed negative log-likelihood of the targets."""
        ...

    def log_probs(self, logits: Float[Tensor, "steps batch outputs"]) -> Float[Tensor, "steps batch outputs"]:
        """Logits normalised over what excludes each other, so that models can be averaged."""
        ...

    def scorer(self, utterances: Sequence[Utterance], how: Mapping[str, str]) -> Scorer:
        """Takes outputs batch by batch, and scores a split of these utterances at the end."""
        ...

    def summary(self) -> dict[str, str]:
        """What a user wants to know."""
        ...


class Scorer(Protocol):
    """Scores outputs that come batch by batch."""

    def add(self, log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> None:
        """Take the outputs of some utterances."""
        ...

    def scores(self, outputs: Path | None) -> list[Score]:
        """What came out of all; predictions are written into the folder ``outputs``, if given."""
        ...
