"""Using captioning models: image files in, captions out."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.forced import Beginning
from lstmdrop.decoding.hypotheses import warn_of_cut
from lstmdrop.decoding.sampling import SamplingOptions, seed_of
from lstmdrop.errors import DataError, UsageError
from lstmdrop.presets import decoding_with
from lstmdrop_tasks.caption.attention_picture import attention_picture
from lstmdrop_tasks.caption.captioning import caption, draw_captions
from lstmdrop_tasks.caption.config import CaptionConfig, CaptionDecodingConfig, CaptionPrediction, ImageConfig
from lstmdrop_tasks.caption.data import READY_MADE, caption_line
from lstmdrop_tasks.caption.images.extraction import Extracted, FileEncoder, is_ready
from lstmdrop_tasks.caption.images.reading import read_image
from lstmdrop_tasks.caption.inputs import STANDARD_INPUT, image_files, spooled
from lstmdrop_tasks.caption.scoring import score
from lstmdrop_tasks.caption.task import ImageCaptioning, require_alike

Models = Sequence[ImageCaptioning]

NUM_EXAMPLES = 8
"""Captions that a run keeps for the results page."""

log = logging.getLogger("lstmdrop.caption")


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A file that could be read."""

    number: int
    """Among all that came, so that what is drawn for it follows no other file."""
    path: Path
    features: Sequence[Tensor]
    """What each model reads of it."""


def predict(tasks: Models, inputs: Iterable[str], options: CaptionPrediction) -> Iterator[Mapping[str, Any]]:
    """The caption of each image, as soon as a batch of images has come; of a folder, of all images below it.

    ``-`` is an image on standard input. With ``score`` what `lstmdrop_tasks.caption.scoring.score` says of captions
    that are given.

    Raises:
        UsageError: the models cannot caption as one, or a picture of attention was asked for and there is more than
            one image, or no attention.
        DataError: files could not be read, or folders hold no image; raised after all others have been captioned.
    """
    if options.score:
        require_alike(tasks)
        encoders = _encoders(tasks)
        settings = _settings(options, tasks[0].config)
        yield from score(tasks, inputs, lambda files: _features(tasks, encoders, files), settings, options.batch_size)
        return
    with tempfile.TemporaryDirectory() as spool:
        for output in _predicted(tasks, spooled(inputs, Path(spool)), options):
            yield {**output, "image": STANDARD_INPUT} if Path(output["image"]).parent == Path(spool) else output


def _predicted(tasks: Models, inputs: Iterable[str], options: CaptionPrediction) -> Iterator[Mapping[str, Any]]:
    require_alike(tasks)
    if not options.sample:  # what does not fit is refused before an image is read
        options = options.model_copy(update={"beam_size": _settings(options, tasks[0].config).beam_size})
    beginning = _beginning(tasks[0], options.prefix)
    encoders = _encoders(tasks)
    unread: list[Path] = []
    files = iter(image_files(inputs, unread)) if options.attention is None else iter(_only_file(tasks, inputs))
    first = num_written = num_cut = 0
    while batch := list(islice(files, options.batch_size)):
        read = []
        for number, (path, features) in enumerate(zip(batch, _features(tasks, encoders, batch), strict=True), first):
            if features is None:
                unread.append(path)
            else:
                read.append(ReadImage(number, path, features))
        for output in _captioned(tasks, read, options, beginning):
            num_written += 1
            num_cut += not output["hypotheses"][0]["finished"]
            yield output
        first += len(batch)
    longest = tasks[0].config.decoding.max_length if options.max_length is None else options.max_length
    warn_of_cut(num_cut, num_written, "captions", f"--max-length {longest}")
    if unread:
        raise DataError(f"{len(unread)} of the inputs could not be captioned, such as {unread[0]}")


def examples(task: ImageCaptioning) -> Iterator[Mapping[str, Any]]:
    """The first images of the test split: captioned, with the published captions."""
    images = task.data.images("test")[:NUM_EXAMPLES]
    numbers = np.arange(len(images))
    settings = _settings(CaptionPrediction(), task.config)
    found = caption([task], [task.data.features("test", numbers)], settings)
    for image, hypotheses in zip(images, found, strict=True):
        best = [_as_json(task, hypothesis, Beginning()) for hypothesis in hypotheses]
        yield {"text": best[0]["text"], "image": str(image.source), "references": image.captions, "hypotheses": best}


def _encoders(tasks: Models) -> dict[ImageConfig, FileEncoder]:
    return {task.config.images: task.file_encoder for task in tasks}


def _beginning(task: ImageCaptioning, prefix: str) -> Beginning:
    """What each caption begins with, cut as the captions of training are."""
    tokens = task.tokenizer.encode(caption_line(prefix, task.tokenizer.kind))
    if prefix.strip() and not tokens:
        raise UsageError(f"--prefix {prefix!r}: it has no word")
    if task.tokenizer.unk in tokens:
        log.warning("--prefix: the vocabulary lacks a part of %r: it is kept, and the model reads <unk>", prefix)
    return Beginning(prefix.strip(), tokens)


def _captioned(
    tasks: Models, read: Sequence[ReadImage], options: CaptionPrediction, beginning: Beginning
) -> Iterator[Mapping[str, Any]]:
    if not read:
        return
    features = [torch.stack(own) for own in zip(*(image.features for image in read), strict=True)]
    if options.sample:
        seeds = [[seed_of(options.seed, image.number, n) for n in range(options.num_best)] for image in read]
        how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned=[tasks[0].tokenizer.unk])
        found = draw_captions(tasks, features, how, seeds, options.max_length, beginning.tokens)
    else:
        found = caption(tasks, features, _settings(options, tasks[0].config), options.max_length, beginning.tokens)
    for image, hypotheses in zip(read, found, strict=True):
        if options.attention is not None:
            _draw_attention(options.attention, tasks[0], image.path, hypotheses[0])
        best = [_as_json(tasks[0], hypothesis, beginning) for hypothesis in hypotheses]
        yield {"text": best[0]["text"], "image": str(image.path), "hypotheses": best}


def _features(
    tasks: Models, encoders: Mapping[ImageConfig, FileEncoder], files: Sequence[Path]
) -> Iterator[list[Tensor] | None]:
    """What each model reads of each file; None, and a line that says why, where it cannot be read."""
    extracted = {config: encode(files) for config, encode in encoders.items()}
    for number, path in enumerate(files):
        try:
            yield [_fitting(task, extracted[task.config.images][number], path) for task in tasks]
        except DataError as error:
            log.warning("%s", error)
            yield None


def _fitting(task: ImageCaptioning, extracted: Extracted, path: Path) -> Tensor:
    features, expected = extracted.features, (1 + task.about.num_positions, task.about.num_channels)
    if task.about.encoder == READY_MADE and not is_ready(path):
        raise DataError(
            f"{path}: the run was trained on ready-made features, and another network would see this image\n"
            "give its features (.npy or .npz) as the network made them that was used then"
        )
    if features is None:
        raise DataError(extracted.problem)
    if features.shape != expected:
        raise DataError(f"{path}: features of shape {features.shape}, and the run was trained on {expected}")
    rows = features if task.config.model.architecture == "attend" else features[:1]
    return torch.from_numpy(rows).to(task.device)


def _only_file(tasks: Models, inputs: Iterable[str]) -> list[Path]:
    """The one image whose caption's attention is drawn."""
    files = list(image_files(inputs, []))
    if len(files) != 1:
        raise UsageError(f"--attention draws the caption of one image; {len(files):,} came")
    maps = {task.about.num_positions for task in tasks if task.config.model.architecture == "attend"}
    if not maps:
        raise UsageError(f"a model of architecture {tasks[0].config.model.architecture!r} has no attention to draw")
    if len(maps) > 1:
        raise UsageError("these models look at maps of different sizes: their attention cannot be drawn as one")
    return files


def _settings(options: CaptionPrediction, config: CaptionConfig) -> BeamSettings:
    chosen: CaptionDecodingConfig = decoding_with(config, options)
    return BeamSettings(chosen.beam_size, chosen.length_penalty, num_best=options.num_best)


def _as_json(task: ImageCaptioning, hypothesis: Hypothesis, beginning: Beginning) -> dict[str, Any]:
    attention = hypothesis.attention
    return {
        "text": beginning.written(task.tokenizer.decode, hypothesis.tokens),
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
    assert hypothesis.attention is not None  # `_only_file` has seen to it
    if is_ready(image):
        raise UsageError(f"--attention draws over a picture, and {image} holds features")
    seen = Image.fromarray(read_image(image, task.config.images.size))
    attention_picture(seen, _tokens(task, hypothesis), hypothesis.attention.tolist()).save(path, "PNG")
