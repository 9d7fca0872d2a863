"""The data of a run: features of images and tokens of captions, split by split."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
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
from lstmdrop_tasks.caption.images.store import FeatureStore, build_store

log = logging.getLogger("lstmdrop.caption")


class CaptionData:
    """Images and captions of a corpus as a network reads them."""

    def __init__(self, config: CaptionConfig, corpus: Callable[[], CaptionCorpus], device: torch.device) -> None:
        self.config = config
        self.device = device
        self._corpus = corpus
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
            DataError: more than 1% of the files are damaged.
        """
        if split not in self._stores:
            store = build_store(self.images(split), self.config.images, cache_dir() / "images", self.device)
            for reason in store.problems.values():
                log.warning("left out of %s: %s", split, reason)
            self._stores[split] = store
        return self._stores[split]

    def captions(self, split: Split, tokenizer: Tokenizer) -> Captions:
        """The captions of a split, image by image; those of training are cut at ``data.max_length``."""
        if split not in self._captions:
            captions = Captions.of(self.images(split), tokenizer)
            self._captions[split] = captions.cut(self.config.data.max_length) if split == "train" else captions
        return self._captions[split]

    def features(self, split: Split, numbers: Numbers) -> torch.Tensor:
        """What the network reads of these images, shape ``(images, rows, channels)``."""
        rows = self.store(split).rows(numbers, whole=self.config.model.architecture == "attend")
        return torch.from_numpy(rows).to(self.device)

    def batches(self, split: Split, tokenizer: Tokenizer, epoch: int) -> PlannedBatches[CaptionBatch]:
        """Captions of like length together, in an order that the seed and the epoch determine."""
        captions = self.captions(split, tokenizer)

        def make(numbers: Numbers) -> CaptionBatch:
            features = self.features(split, captions.owners[numbers])
            return caption_batch(captions, numbers, features, tokenizer.eos)

        return PlannedBatches(self.plan(split, tokenizer, epoch), make)

    def plan(self, split: Split, tokenizer: Tokenizer, epoch: int) -> list[Numbers]:
        """Which captions go together; those of damaged images are not trained on.

        Raises:
            DataError: no image can be used.
        """
        captions = self.captions(split, tokenizer)
        kept = np.arange(len(captions))
        if split == "train":
            kept = kept[~np.isin(captions.owners, self.damaged(split))]
        if len(kept) == 0:
            raise DataError(f"none of the images of the {split} split can be used")
        generator = np.random.default_rng([self.config.seed, epoch])
        batches = token_batches(captions.lengths[kept], self.config.training.batch_tokens, generator)
        return [kept[batch] for batch in batches]

    def damaged(self, split: Split) -> Numbers:
        """The numbers of the images that cannot be read."""
        problems = self.store(split).problems
        return np.array([n for n, image in enumerate(self.images(split)) if image.id in problems], np.int64)

    def sha256(self, split: Split) -> str:
        """Identity of a split: what the network sees of the images, and their captions."""
        parts = f"{self.store(split).sha256} {captions_sha256(self.images(split))}"
        return hashlib.sha256(parts.encode()).hexdigest()

    def data_sha256(self) -> str:
        """Hash over the three splits."""
        return hashlib.sha256("".join(self.sha256(split) for split in SPLITS).encode()).hexdigest()
