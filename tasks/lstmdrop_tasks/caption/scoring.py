"""Scoring captions that are given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lstmdrop.data.spelling import first_oddity
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.decoding.forced import scored_json
from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import warn_of_unknown
from lstmdrop_tasks.caption.captioning import score_captions
from lstmdrop_tasks.caption.data import caption_line
from lstmdrop_tasks.caption.inputs import Captioned, captioned
from lstmdrop_tasks.caption.task import ImageCaptioning

ReadFiles = Callable[[Sequence[Path]], Iterable[list[Tensor] | None]]
"""What each model reads of each file, or None."""

log = logging.getLogger("lstmdrop.caption")


def score(
    tasks: Sequence[ImageCaptioning], inputs: Iterable[str], read: ReadFiles, settings: BeamSettings, batch_size: int
) -> Iterator[Mapping[str, Any]]:
    """The log-probability of each given caption in nats, its end included; several models are averaged.

    Captions are cut as those of training are: in lower case, without punctuation. Of a batch each image is read once.

    Raises:
        DataError: a line is no image and caption, or images could not be read; the latter after all others are scored.
    """
    tokenizer = tasks[0].tokenizer
    given = captioned(inputs)
    unread: list[Path] = []
    told = False
    num_tokens = num_unknown = 0
    while batch := list(islice(given, batch_size)):
        lines = [caption_line(one.caption, tokenizer.kind) for one in batch]
        for about in () if told else first_oddity(zip(lines, (one.where for one in batch), strict=True),
                                                  tokenizer.vocabulary.letters):  # fmt: skip
            log.warning(about)
            told = True
        files = list(dict.fromkeys(one.image for one in batch))
        features = dict(zip(files, read(files), strict=True))
        unread += [path for path, own in features.items() if own is None]
        for one, output in _scored(tasks, batch, lines, features, settings):
            num_tokens += output["num_tokens"]
            num_unknown += output["num_unknown"]
            yield {"text": output.pop("text"), "image": str(one.image), "caption": one.caption, **output}
    warn_of_unknown(num_unknown, num_tokens, "the captions")
    if unread:
        raise DataError(f"{len(unread)} of the images could not be read, such as {unread[0]}")


def _scored(
    tasks: Sequence[ImageCaptioning],
    batch: Sequence[Captioned],
    lines: Sequence[str],
    features: Mapping[Path, list[Tensor] | None],
    settings: BeamSettings,
) -> Iterator[tuple[Captioned, dict[str, Any]]]:
    tokenizer = tasks[0].tokenizer
    read = {path: own for path, own in features.items() if own is not None}
    kept = [(one, tokenizer.encode(line)) for one, line in zip(batch, lines, strict=True) if one.image in read]
    if not kept:
        return
    stacked = [torch.stack(own) for own in zip(*read.values(), strict=True)]
    number = {path: place for place, path in enumerate(read)}
    owners = [number[one.image] for one, _ in kept]
    scored = score_captions(tasks, stacked, owners, [tokens for _, tokens in kept], settings)
    for (one, _), own in zip(kept, scored, strict=True):
        yield one, scored_json(own, tokenizer.vocabulary.tokens, tokenizer.unk)
