"""The captions of a split as token ids, and batches of them beside their images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.metrics.ptb_tokenizer import python_tokenize
from lstmdrop.nn.decoder import PADDING
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage

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
        lines = [python_tokenize(caption) for image in images for caption in image.captions]
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
