"""The data of a run: features of images and tokens of captions, split by split."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from lstmdrop.data.bucketing import token_batches
from lstmdrop.data.planned import PlannedBatches
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.errors import DataError
from lstmdrop.task import SPLITS, Split
from lstmdrop_tasks.caption.captions import CaptionBatch, Captions, Numbers, caption_batch, captions_sha256
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, CaptionedImage
from lstmdrop_tasks.caption.features_about import READY_MADE, FeaturesAbout
from lstmdrop_tasks.caption.images.store import FeatureStore, build_store

log = logging.getLogger("lstmdrop.caption")


class CaptionData:
    """Images and captions of a corpus as a network reads them."""

    def __init__(self, config: CaptionConfig, corpus: Callable[[], CaptionCorpus], device: torch.device) -> None:
        self.config = config
        self.device = device
        self._corpus = corpus
        self.about: FeaturesAbout | None = None
        """What the network was trained on, once that is known."""
        self._stores: dict[Split, FeatureStore] = {}
        self._captions: dict[Split, Captions] = {}

    @cached_property
    def corpus(self) -> CaptionCorpus:
        """The images and captions, looked for when they are first needed: captioning files needs none."""
        return self._corpus()

    def images(self, split: Split) -> Sequence[CaptionedImage]:
        """The images of a split, damaged ones too."""
        return self.corpus.splits[split]

    def store(self, split: Split) -> FeatureStore:
        """The features of a split's images, made on first use; each damaged file is named once.

        Raises:
            DataError: more than 1% of the files are damaged, and more than one.
        """
        if split not in self._stores:
            store = build_store(self.images(split), self.config.images, cache_dir() / "images", self.device)
            for reason in store.problems.values():
                log.warning("left out of %s: %s", split, reason)
            if self.about is not None:
                self._require_alike(split, store, self.about)
            self._stores[split] = store
        return self._stores[split]

    def _require_alike(self, split: Split, store: FeatureStore, about: FeaturesAbout) -> None:
        found = FeaturesAbout.of(store, self.config.images, [image.source for image in self.images(split)])
        # Earlier versions noted the encoder of the configuration, though the features had come ready.
        if found != about and (found.encoder != READY_MADE or replace(found, encoder=about.encoder) != about):
            raise DataError(f"the {split} images give {found}, and the run was trained on {about}")

    def captions(self, split: Split, tokenizer: Tokenizer) -> Captions:
        """The captions of a split, image by image."""
        if split not in self._captions:
            self._captions[split] = Captions.of(self.images(split), tokenizer)
        return self._captions[split]

    def features(self, split: Split, numbers: Numbers) -> torch.Tensor:
        """What the network reads of these images, shape ``(images, rows, channels)``."""
        rows = self.store(split).rows(numbers, whole=self.config.model.architecture == "attend")
        return torch.from_numpy(rows).to(self.device)

    def batches(self, split: Split, tokenizer: Tokenizer, epoch: int) -> PlannedBatches[CaptionBatch]:
        """Captions of like length together, in an order that the seed and the epoch determine.

        Those of training are cut at ``data.max_length``, and those of damaged images are left out.

        Raises:
            DataError: no image can be used.
        """
        if split != "train":
            return self.whole_batches(split, tokenizer, epoch)
        captions = self.captions(split, tokenizer).cut(self.config.data.max_length)
        kept = np.flatnonzero(~np.isin(captions.owners, self.damaged(split)))
        if len(kept) == 0:
            raise DataError(f"none of the images of the {split} split can be used")
        return self._batches(split, captions, kept, tokenizer.eos, epoch)

    def whole_batches(self, split: Split, tokenizer: Tokenizer, epoch: int = 0) -> PlannedBatches[CaptionBatch]:
        """Every caption of the split from its beginning to its end, as it is scored."""
        captions = self.captions(split, tokenizer)
        return self._batches(split, captions, np.arange(len(captions)), tokenizer.eos, epoch)

    def _batches(
        self, split: Split, captions: Captions, kept: Numbers, eos: int, epoch: int
    ) -> PlannedBatches[CaptionBatch]:
        def make(numbers: Numbers) -> CaptionBatch:
            return caption_batch(captions, numbers, self.features(split, captions.owners[numbers]), eos)

        generator = np.random.default_rng([self.config.seed, epoch])
        batches = token_batches(captions.lengths[kept], self.config.training.batch_tokens, generator)
        return PlannedBatches([kept[batch] for batch in batches], make)

    def damaged(self, split: Split) -> Numbers:
        """The numbers of the images that cannot be read."""
        problems = self.store(split).problems
        return np.array([n for n, image in enumerate(self.images(split)) if image.id in problems], np.int64)

    def sha256(self, split: Split) -> str:
        """Identity of what is scored: the images' names and captions, whatever a network sees of the images."""
        return captions_sha256(self.images(split))

    def data_sha256(self) -> str:
        """Hash over the three splits: what the network sees of the images, and their captions."""
        parts = [f"{self.store(split).sha256} {self.sha256(split)}" for split in SPLITS]
        hashes = [hashlib.sha256(part.encode()).hexdigest() for part in parts]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()
