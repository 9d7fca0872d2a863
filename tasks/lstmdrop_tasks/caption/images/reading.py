"""Image files as squares of pixels."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lstmdrop.errors import DataError

Pixels = npt.NDArray[np.uint8]

SHORTER_SIDE = 256 / 224
"""The shorter side before the crop, in sides of the square: as networks are tested on ImageNet."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

_warning = threading.Lock()


def read_image(path: Path, size: int) -> Pixels:
    """The middle of an image as ``(size, size, 3)`` bytes of red, green and blue.

    The shorter side is made 256 pixels where ``size`` is 224 (bicubic) and the middle cut out; an image of
    exactly ``size`` by ``size`` stays as it is. JPEG, PNG, WebP, the first frame of a GIF and all else that
    Pillow reads; transparency becomes white, and a photograph taken sideways is turned.

    Raises:
        DataError: the file is missing, empty, damaged, no image, or has more pixels than Pillow deems safe.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    try:
        with _open(path) as image:
            pixels = _as_rgb(image)
            return np.array(_square(_upright(pixels, _orientation(image)), size))
    except UnidentifiedImageError:
        raise DataError(f"{path}: not an image that can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{path}: more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except Exception as error:  # bytes that are damaged make a decoder fail in any way it can
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: damaged ({reason})") from None


@contextmanager
def _warned() -> Iterator[None]:
    """Pillow's warning of a bomb is an error here; its remarks on notes inside a photograph are passed over."""
    # Filters belong to the whole process, so only one thread at a time may change them.
    with _warning, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _open(path: Path) -> Image.Image:
    with _warned():
        return Image.open(path)


def _orientation(image: Image.Image) -> int:
    with _warned():
        return cast(int, image.getexif().get(ORIENTATION, 1))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # sixteen bits of grey, of which Pillow would keep the lower eight
        high = np.clip(np.asarray(image, np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque).convert("RGB")
    return image.convert("RGB")


def _upright(pixels: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return pixels if turn is None else pixels.transpose(turn)


def _square(image: Image.Image, size: int) -> Image.Image:
    if image.size == (size, size):
        return image
    # Only the middle is resized: of a long strip, the whole would be too large.
    side = min(image.size) * size / round(size * SHORTER_SIDE)
    left, top = ((length - side) / 2 for length in image.size)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
