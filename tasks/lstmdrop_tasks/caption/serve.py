"""A captioning model behind a server."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic import Field

from lstmdrop.config import Section
from lstmdrop.errors import DataError
from lstmdrop.service import Output, Service
from lstmdrop_tasks.caption.config import CaptionPrediction
from lstmdrop_tasks.caption.images.extraction import FileEncoder
from lstmdrop_tasks.caption.predict import captions_of, ending_of
from lstmdrop_tasks.caption.task import ImageCaptioning


class CaptionOptions(Section):
    """As those of ``predict``, which says more of them."""

    beam_size: int | None = Field(default=None, ge=1, le=32, description="hypotheses kept; default: the run's")
    num_best: int = Field(default=1, ge=1, le=32, description="captions, best first")


def services(task: ImageCaptioning) -> Sequence[Service]:
    """Captioning; the network that reads images is loaded once."""
    encoder = FileEncoder(task.config.images, task.device)
    summary = "A sentence that says what is in an image."
    return [Service("caption", summary, "image", CaptionOptions, partial(_caption, task, encoder))]


def _caption(
    task: ImageCaptioning, encoder: FileEncoder, images: Sequence[bytes], options: CaptionOptions
) -> Sequence[Output]:
    chosen = CaptionPrediction(**options.model_dump(exclude_none=True))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"image {number}{ending_of(image)}" for number, image in enumerate(images, 1)]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        try:
            found = list(captions_of([task], map(str, paths), chosen, {task.config.images: encoder}))
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from None
    return [{key: value for key, value in output.items() if key != "image"} for output in found]
