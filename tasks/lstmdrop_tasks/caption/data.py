"""The data of a run: captions as tokens and features of images, split by split."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.batching import PlannedBatches, token_batches
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.tokenizer import Tokenizer, TokenizerKind
from lstmdrop.errors import DataError
from lstmdrop.metrics.ptb_tokenizer import python_tokenize, without_marks
from lstmdrop.nn.decoder import PADDING
from lstmdrop.parsing import read_json_document, to_json
from lstmdrop_tasks.caption.config import CaptionConfig, ImageConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, CaptionedImage
from lstmdrop_tasks.caption.images.extraction import is_ready
from lstmdrop_tasks.caption.images.store import FeatureStore, build_store

Numbers = npt.NDArray[np.int64]


class CaptionBatch(NamedTuple):
    """Padded captions, one a column, each with the features of its image; every caption ends with ``<eos>``."""

    images: Float[Tensor, "batch rows channels"]
    inputs: Int[Tensor, "time batch"]
    """What the decoder has written before each step: ``<eos>``, then the caption but for its own ``<eos>``."""
    targets: Int[Tensor, "time batch"]
    numbers: Int[Tensor, " batch"]
    """Which captions these are, on the CPU."""
    image_numbers: Int[Tensor, " batch"]
    """Which images they belong to, on the CPU."""
    num_targets: int

    @property
    def num_rows(self) -> int:
        """The number of captions."""
        return self.inputs.shape[1]

    def some_rows(self, rows: slice) -> CaptionBatch:
        """Some of the captions alone, without the padding that they do not need."""
        targets = self.targets[:, rows]
        is_word = targets != PADDING
        longest = int(is_word.sum(0).max())
        return CaptionBatch(
            self.images[rows],
            self.inputs[:longest, rows],
            targets[:longest],
            self.numbers[rows],
            self.image_numbers[rows],
            int(is_word.sum()),
        )


@dataclass(frozen=True, slots=True)
class Captions:
    """``tokens[offsets[n]:offsets[n + 1]]`` is caption n, its ``<eos>`` included; ``owners[n]`` is its image."""

    tokens: Numbers
    offsets: Numbers
    owners: Numbers
    num_unknown: int

    @classmethod
    def of(cls, images: Sequence[CaptionedImage], tokenizer: Tokenizer) -> Captions:
        """Cut the captions of all images into tokens, image by image."""
        lines = [caption_line(caption, tokenizer.kind) for image in images for caption in image.captions]
        encoded = [[*tokenizer.encode(line), tokenizer.eos] for line in lines]
        tokens = np.array([token for caption in encoded for token in caption], np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(caption) for caption in encoded])]).astype(np.int64)
        owners = np.repeat(np.arange(len(images)), [len(image.captions) for image in images])
        return cls(tokens, offsets, owners, int((tokens == tokenizer.unk).sum()))

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def lengths(self) -> Numbers:
        """Tokens of each caption, ``<eos>`` included."""
        return np.diff(self.offsets)

    def cut(self, max_length: int) -> Captions:
        """With at most so many tokens each; a longer one ends there, without ``<eos>``."""
        lengths = np.minimum(self.lengths, max_length)
        kept = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(kept[-1]) + np.repeat(self.offsets[:-1] - kept[:-1], lengths)
        return Captions(self.tokens[places], kept, self.owners, self.num_unknown)

    def columns(self, numbers: Numbers) -> Numbers:
        """These captions side by side, one a column, padded below."""
        starts, lengths = self.offsets[numbers], self.lengths[numbers]
        steps = np.arange(lengths.max())[:, None]
        padded = self.tokens[np.minimum(starts + steps, len(self.tokens) - 1)]
        return np.where(steps < lengths, padded, PADDING)


def caption_line(caption: str, kind: TokenizerKind) -> str:
    """A caption as tokenisers of this kind read it: in lower case, without punctuation, its words apart."""
    words = python_tokenize(caption)
    return without_marks(words) if kind == "character" else words


def caption_batch(
    captions: Captions, numbers: Numbers, images: Float[Tensor, "batch rows channels"], eos: int
) -> CaptionBatch:
    """These captions, each beside the features of its image, on the device of those."""
    targets = torch.from_numpy(captions.columns(numbers))
    begin = torch.full((1, len(numbers)), eos)
    return CaptionBatch(
        images=images,
        inputs=torch.cat([begin, targets[:-1].clamp(min=0)]).to(images.device),
        targets=targets.to(images.device),
        numbers=torch.from_numpy(numbers),
        image_numbers=torch.from_numpy(captions.owners[numbers]),
        num_targets=int((targets != PADDING).sum()),
    )


def captions_sha256(images: Sequence[CaptionedImage]) -> str:
    """Identity of the images' names and captions."""
    listed = [[image.id, *image.captions] for image in images]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False).encode(errors="surrogateescape")).hexdigest()


NAME = "images.json"
READY_MADE = "features"
"""In place of an encoder's name: nobody says which network made them."""


@dataclass(frozen=True, slots=True)
class FeaturesAbout:
    """Their shape, and which encoder gave them."""

    encoder: str
    num_channels: int
    num_positions: int
    """Places of the map; 0 where there is a vector alone."""

    def __str__(self) -> str:
        places = f", {self.num_positions} places" if self.num_positions else ", no map"
        return f"{self.encoder}, {self.num_channels:,} channels{places}"

    @classmethod
    def of(cls, store: FeatureStore, config: ImageConfig, files: Sequence[Path]) -> FeaturesAbout:
        """Of the features of a split's files: made by the encoder, unless they came ready.

        Raises:
            DataError: some came ready and some did not, so that nothing says that one encoder made them all.
        """
        ready = [is_ready(path) for path in files]
        if any(ready) and not all(ready):
            one, other = files[ready.index(True)], files[ready.index(False)]
            raise DataError(f"{one} is ready-made features and {other} is not: train on one kind")
        _, num_rows, num_channels = store.features.shape
        return cls(READY_MADE if all(ready) else config.encoder, num_channels, num_rows - 1)

    def save(self, assets: Path) -> None:
        """Write what `load` reads."""
        with atomic_file(assets / NAME) as handle:
            handle.write(to_json(asdict(self)).encode())

    @classmethod
    def load(cls, assets: Path) -> FeaturesAbout:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            return cls(**read_json_document(assets / NAME))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{assets / NAME}: cannot be read ({error})") from None


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
