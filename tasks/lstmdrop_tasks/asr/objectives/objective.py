"""What a training objective does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from lstmdrop.metrics.score import Score
from lstmdrop.task import Loss
from lstmdrop_tasks.asr.audio.store import FeatureStore
from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.corpora.utterance import Utterance


class Objective(Protocol):
    """Targets, the loss against them, and scores."""

    @property
    def num_outputs(self) -> int:
        """Of the softmax, at every step of the network."""
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
