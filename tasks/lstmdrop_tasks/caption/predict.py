"""Using captioning models: image files in, captions out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.sampling import SamplingOptions
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.caption.attention_picture import attention_picture
from lstmdrop_tasks.caption.captioning import caption, draw_captions
from lstmdrop_tasks.caption.config import CaptionDecodingConfig, CaptionPrediction
from lstmdrop_tasks.caption.images.extraction import FileEncoder
from lstmdrop_tasks.caption.images.reading import read_image
from lstmdrop_tasks.caption.task import ImageCaptioning, require_alike

Models = Sequence[ImageCaptioning]

NUM_EXAMPLES = 8
"""Captions that a run keeps for the results page."""

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".npy", ".npz"}
"""What is taken from a folder."""

log = logging.getLogger("lstmdrop.caption")


def predict(tasks: Models, inputs: Iterable[str], options: CaptionPrediction) -> Iterator[Mapping[str, Any]]:
    """The caption of each image, as soon as a batch of images has come; of a folder, of all images in it.

    Raises:
        UsageError: the models cannot caption as one, or a picture of attention was asked for and there is more than
            one image, or no attention.
        DataError: files could not be read; raised after all others have been captioned.
    """
    require_alike(tasks)
    encoders = [FileEncoder(task.config.images, task.device) for task in tasks]
    paths = iter(_files(inputs)) if options.attention is None else iter(_only_file(inputs))
    unread: list[Path] = []
    first = 0
    while batch := list(islice(paths, options.batch_size)):
        features = [_features(tasks, encoders, path) for path in batch]
        unread += [path for path, own in zip(batch, features, strict=True) if own is None]
        read = [(path, own) for path, own in zip(batch, features, strict=True) if own is not None]
        yield from _captioned(tasks, read, options, first)
        first += len(batch)
    if unread:
        raise DataError(f"{len(unread)} of the files could not be captioned, such as {unread[0]}")


def examples(task: ImageCaptioning) -> Iterator[Mapping[str, Any]]:
    """The first images of the test split: captioned, with the published captions."""
    images = task.data.images("test")[:NUM_EXAMPLES]
    numbers = np.arange(len(images))
    settings = _settings(CaptionPrediction(), task.config.decoding)
    found = caption([task], [task.data.features("test", numbers)], settings)
    for image, hypotheses in zip(images, found, strict=True):
        best = [_as_json(task, hypothesis) for hypothesis in hypotheses]
        yield {"text": best[0]["text"], "image": str(image.source), "references": image.captions, "hypotheses": best}


def _captioned(
    tasks: Models, read: Sequence[tuple[Path, list[Tensor]]], options: CaptionPrediction, first: int
) -> Iterator[Mapping[str, Any]]:
    if not read:
        return
    features = [torch.stack(own) for own in zip(*(own for _, own in read), strict=True)]
    if options.sample:
        seeds = [[_seed(options.seed, first + image, n) for n in range(options.num_best)] for image in range(len(read))]
        how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned=[tasks[0].tokenizer.unk])
        found = draw_captions(tasks, features, how, seeds)
    else:
        found = caption(tasks, features, _settings(options, tasks[0].config.decoding))
    for (path, _), hypotheses in zip(read, found, strict=True):
        if options.attention is not None:
            _draw_attention(options.attention, tasks[0], path, hypotheses[0])
        best = [_as_json(tasks[0], hypothesis) for hypothesis in hypotheses]
        yield {"text": best[0]["text"], "image": str(path), "hypotheses": best}


def _features(tasks: Models, encoders: Sequence[FileEncoder], path: Path) -> list[Tensor] | None:
    """What each model reads of the file; None, and a line that says why, where it cannot be read."""
    try:
        return [_fitting(task, encoder(path), path) for task, encoder in zip(tasks, encoders, strict=True)]
    except DataError as error:
        log.warning("%s", error)
        return None


def _fitting(task: ImageCaptioning, features: np.ndarray, path: Path) -> Tensor:
    expected = (1 + task.about.num_positions, task.about.num_channels)
    if features.shape != expected:
        raise DataError(f"{path}: features of shape {features.shape}, and the run was trained on {expected}")
    rows = features if task.config.model.architecture == "attend" else features[:1]
    return torch.from_numpy(rows).to(task.device)


def _files(inputs: Iterable[str]) -> Iterator[Path]:
    """The files that are named; blank lines are passed over, folders stand for the images in them."""
    for name in filter(str.strip, inputs):
        path = Path(name).expanduser()
        if path.is_dir():
            yield from (file for file in sorted(path.iterdir()) if file.suffix.lower() in ENDINGS)
        else:
            yield path


def _only_file(inputs: Iterable[str]) -> list[Path]:
    files = list(_files(inputs))
    if len(files) != 1:
        raise UsageError(f"--attention draws the caption of one image; {len(files):,} came")
    return files


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _settings(options: CaptionPrediction, default: CaptionDecodingConfig) -> BeamSettings:
    beam_size = max(options.beam_size or default.beam_size, options.num_best)
    penalty = default.length_penalty if options.length_penalty is None else options.length_penalty
    return BeamSettings(beam_size, penalty, num_best=options.num_best)


def _as_json(task: ImageCaptioning, hypothesis: Hypothesis) -> dict[str, Any]:
    attention = hypothesis.attention
    return {
        "text": task.tokenizer.decode(hypothesis.tokens),
        "tokens": _tokens(task, hypothesis),
        "log_prob": hypothesis.log_prob,
        "score": hypothesis.score,
        "finished": hypothesis.finished,
        # for each token, <eos> too, how much it looked at each place, row by row
        "attention": None if attention is None else attention.double().round(decimals=4).tolist(),
    }


def _tokens(task: ImageCaptioning, hypothesis: Hypothesis) -> list[str]:
    ends = [task.tokenizer.eos] if hypothesis.finished else []
    return [task.tokenizer.vocabulary.tokens[token] for token in (*hypothesis.tokens, *ends)]


def _draw_attention(path: Path, task: ImageCaptioning, image: Path, hypothesis: Hypothesis) -> None:
    if hypothesis.attention is None:
        raise UsageError(f"a model of architecture {task.config.model.architecture!r} has no attention to draw")
    if image.suffix.lower() in (".npy", ".npz"):
        raise UsageError(f"--attention draws over a picture, and {image} holds features")
    seen = Image.fromarray(read_image(image, task.config.images.size))
    attention_picture(seen, _tokens(task, hypothesis), hypothesis.attention.tolist()).save(path, "PNG")
