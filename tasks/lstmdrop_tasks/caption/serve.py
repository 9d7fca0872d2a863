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
from lstmdrop_tasks.caption.predict import predict
from lstmdrop_tasks.caption.task import ImageCaptioning

READY_MADE = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}
"""How files of features begin."""


class CaptionOptions(Section):
    """As those of ``predict``, which says more of them."""

    beam_size: int | None = Field(default=None, ge=1, le=32, description="hypotheses kept; default: the run's")
    num_best: int = Field(default=1, ge=1, le=32, description="captions, best first")


def services(task: ImageCaptioning) -> Sequence[Service]:
    """Captioning."""
    summary = "A sentence that says what is in an image."
    return [Service("caption", summary, "image", CaptionOptions, partial(_caption, task))]


def _caption(task: ImageCaptioning, images: Sequence[bytes], options: CaptionOptions) -> Sequence[Output]:
    chosen = CaptionPrediction(**options.model_dump(exclude_none=True))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"image {number}{_ending(image)}" for number, image in enumerate(images, 1)]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        try:
            found = list(predict([task], map(str, paths), chosen))
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from None
    return [{key: value for key, value in output.items() if key != "image"} for output in found]


def _ending(image: bytes) -> str:
    return next((ending for magic, ending in READY_MADE.items() if image.startswith(magic)), "")
