"""The data of a run: features of each split, normalised, in batches, and what was left out of it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.batching import WHOLE, Share, token_batches
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import Features, Normalisation, blanked, draw_blanks
from lstmdrop_tasks.asr.audio.store import FeatureStore, build_store
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance
from lstmdrop_tasks.asr.objectives.objective import Objective, SpeechBatch, pad_utterances
from lstmdrop_tasks.asr.recordings import usable

MOST_PROBLEMS = 0.01
"""The share of damaged files up to which a split can be used."""

CHUNK = 1 << 16
"""Frames looked at together for statistics."""

log = logging.getLogger("lstmdrop.asr")

Numbers = npt.NDArray[np.int64]


class Speech:
    """Recordings of a corpus as a network reads them."""

    def __init__(self, config: ASRConfig, corpus: Callable[[], SpeechCorpus]) -> None:
        self.config = config
        self._corpus = corpus
        self._stores: dict[tuple[Split, float], FeatureStore] = {}
        self._of_speaker: dict[Split, dict[str, Normalisation]] = {}
        self._left_out: dict[Split, dict[str, str]] = {}
        self._sha256: dict[Split, str] = {}

    @cached_property
    def corpus(self) -> SpeechCorpus:
        """The recordings that can be used, looked for when they are first needed: transcribing needs none."""
        return usable(self._corpus(), self.config.objective)

    def utterances(self, split: Split) -> Sequence[Utterance]:
        """The utterances of a split, unusable ones too."""
        return self.corpus.splits[split]

    def store(self, split: Split, speed: float = 1.0) -> FeatureStore:
        """The features of a split, made on first use; each damaged file is named once.

        Raises:
            DataError: more than 1% of the files (and more than one) are damaged.
        """
        if (split, speed) not in self._stores:
            labelled = self.config.objective == "frames"
            cache = cache_dir() / "features"
            store = build_store(self.utterances(split), self.config.features, cache, labelled=labelled, speed=speed)
            if speed == 1.0:
                self._report(split, store)
            self._stores[split, speed] = store
        return self._stores[split, speed]

    def _report(self, split: Split, store: FeatureStore) -> None:
        for reason in store.problems.values():
            log.warning("left out of %s: %s", split, reason)
        num_files = len(self.utterances(split))
        if len(store.problems) > max(1, MOST_PROBLEMS * num_files):
            first = next(iter(store.problems.values()))
            raise DataError(
                f"{len(store.problems)} of {num_files} {split} files cannot be used, more than 1%; the first:\n{first}"
            )

    def statistics(self) -> Normalisation:
        """Mean and deviation of the training features."""
        return Normalisation.of(*_chunks(self.store("train").frames))

    def left_out(self, split: Split, objective: Objective) -> dict[str, str]:
        """The ids of the utterances that are not trained on or cannot be scored, and why."""
        if split not in self._left_out:
            store = self.store(split)
            unfit = self._unfit(objective) if split == "train" else {}
            unusable = self.corpus.left_out.get(split, {})
            self._left_out[split] = {**unusable, **store.problems, **store.mismatches, **unfit}
        return self._left_out[split]

    def usable(self, split: Split, objective: Objective) -> Numbers:
        """The numbers of the utterances that have frames and, in training, targets that fit them.

        Raises:
            DataError: there are none.
        """
        left_out = self.left_out(split, objective)
        found = [number for number, utterance in enumerate(self.utterances(split)) if utterance.id not in left_out]
        if not found:
            name, reason = next(iter(left_out.items()))
            raise DataError(f"no {split} utterance can be used; the first, {name}: {reason}")
        return np.array(found, np.int64)

    def _unfit(self, objective: Objective) -> dict[str, str]:
        longest = self.config.data.max_seconds * 1000 / self.config.features.frame_shift
        stores = [self.store("train", speed) for speed in (1.0, *self.config.augmentation.speeds)]
        lengths = np.min([store.lengths for store in stores], axis=0)
        found = {}
        for number, utterance in enumerate(self.utterances("train")):
            length = int(lengths[number])
            if stores[0].lengths[number] == 0:
                continue
            reason = objective.misfit(utterance, length) if length else "cannot be used at every speed"
            if length > longest:
                reason = f"longer than data.max_seconds = {self.config.data.max_seconds:g}"
            if reason:
                found[utterance.id] = reason
        return found

    def training_batches(
        self,
        objective: Objective,
        normalisation: Normalisation,
        epoch: int,
        device: torch.device,
        share: Share = WHOLE,
    ) -> Iterator[SpeechBatch | None]:
        """Usable utterances of like length together, augmented: all that follows from the seed and the epoch.

        Of each batch a worker has its ``share``, None where that is empty; it draws for all, so that all draw alike.
        """
        augmentation = self.config.augmentation
        rng = np.random.default_rng([self.config.seed, epoch])
        for numbers in self.training_plan(objective, rng):
            pairs = list(zip(numbers.tolist(), rng.choice(augmentation.speeds, len(numbers)).tolist(), strict=True))
            blanks = [draw_blanks(*self._shape(number, speed), augmentation, rng) for number, speed in pairs]
            own = share.of(len(pairs))
            if not pairs[own]:
                yield None
                continue
            features = [
                blanked(self.features("train", number, normalisation, speed), blank)
                for (number, speed), blank in zip(pairs[own], blanks[own], strict=True)
            ]
            targets = [self._targets("train", number, objective, speed) for number, speed in pairs[own]]
            yield pad_utterances(numbers[own].tolist(), features, targets, device)

    def _shape(self, number: int, speed: float) -> tuple[int, int]:
        store = self.store("train", speed)
        return int(store.lengths[number]), store.frames.shape[1]

    def plain_batch(
        self, split: Split, numbers: Numbers, objective: Objective, normalisation: Normalisation, device: torch.device
    ) -> SpeechBatch:
        """Utterances of a split as they are."""
        features = [self.features(split, number, normalisation) for number in numbers.tolist()]
        targets = [self._targets(split, number, objective) for number in numbers.tolist()]
        return pad_utterances(numbers.tolist(), features, targets, device)

    def training_plan(self, objective: Objective, rng: np.random.Generator) -> list[Numbers]:
        """Which utterances are trained on together.

        Raises:
            DataError: none can be used.
        """
        usable = self.usable("train", objective)
        lengths = self.store("train").lengths[usable]
        return [usable[batch] for batch in token_batches(lengths, self.config.training.batch_frames, rng)]

    def scoring_plan(self, split: Split, objective: Objective) -> list[Numbers]:
        """Which utterances are scored together: ``decoding.batch_size`` of like length.

        Raises:
            DataError: none can be used.
        """
        usable = self.usable(split, objective)
        order = usable[np.argsort(self.store(split).lengths[usable], kind="stable")]
        size = self.config.decoding.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def features(self, split: Split, number: int, normalisation: Normalisation, speed: float = 1.0) -> Features:
        """One utterance, normalised; by its speaker's statistics if so configured."""
        if self.config.features.normalisation == "speaker":
            normalisation = self._speakers(split)[_speaker(self.utterances(split)[number])]
        return normalisation(self.store(split, speed).features(number))

    def _targets(self, split: Split, number: int, objective: Objective, speed: float = 1.0) -> npt.NDArray[np.int64]:
        return objective.targets(self.utterances(split)[number], self.store(split, speed), number)

    def _speakers(self, split: Split) -> dict[str, Normalisation]:
        if split not in self._of_speaker:
            store = self.store(split)
            parts: dict[str, list[Features]] = {}
            for number, utterance in enumerate(self.utterances(split)):
                if store.lengths[number]:
                    parts.setdefault(_speaker(utterance), []).append(store.features(number))
            self._of_speaker[split] = {speaker: Normalisation.of(*own) for speaker, own in parts.items()}
        return self._of_speaker[split]

    def sha256(self, split: Split) -> str:
        """Hash over the features and the transcripts of a split."""
        if split not in self._sha256:
            transcripts = [utterance.text for utterance in self.utterances(split)]
            identity = [self.store(split).sha256, transcripts]
            self._sha256[split] = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        return self._sha256[split]

    def speakers(self, split: Split) -> dict[str, str]:
        """Identity of who says what, for a signature; nothing where no feature depends on it."""
        if self.config.features.normalisation != "speaker":
            return {}
        speakers = [_speaker(utterance) for utterance in self.utterances(split)]
        return {"speakers": hashlib.sha256(json.dumps(speakers).encode()).hexdigest()[:12]}

    def data_sha256(self) -> str:
        """Hash over the three splits."""
        return hashlib.sha256("".join(self.sha256(split) for split in SPLITS).encode()).hexdigest()


def _speaker(utterance: Utterance) -> str:
    return f"utterance {utterance.id}" if utterance.speaker is None else utterance.speaker


def _chunks(frames: Features) -> list[Features]:
    return [frames[start : start + CHUNK] for start in range(0, len(frames), CHUNK)]


LEFT_OUT = "left_out.txt"
NUM_NAMED = 5
"""Utterances that are named on the screen."""


def save_left_out(speech: Speech, objective: Objective, assets: Path) -> None:
    """Write a line for each: split, id and reason, a tab between them; without any there is no file."""
    lines = [
        f"{split}\t{name}\t{' '.join(reason.split())}\n"
        for split in SPLITS
        for name, reason in speech.left_out(split, objective).items()
    ]
    if lines:
        (assets / LEFT_OUT).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")


def listed(left_out: Mapping[str, str]) -> str:
    """How many there are, and the first of them."""
    named = [f"{name} ({reason})" for name, reason in list(left_out.items())[:NUM_NAMED]]
    more = f", and {len(left_out) - NUM_NAMED:,} more: assets/{LEFT_OUT} in the run names all"
    return f"{len(left_out):,}: {', '.join(named)}{more if len(left_out) > NUM_NAMED else ''}"
