"""Image files as squares of pixels."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from lstmdrop.data.spelling import is_file
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

FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "HEIF", "PPM", "ICO", "PCX", "TGA",
)  # fmt: skip
"""What is read, as far as it is installed. Of Pillow's others some are no pictures, and for PostScript it would start a
program, whatever the file is called."""

MAX_PIXELS = "LSTMDROP_MAX_PIXELS"
"""The environment's name for the most pixels of an image that is decoded whole; else Pillow's, 89 million."""

LARGE = 1 << 24
"""Pixels from which images are decoded one at a time: each takes up to eight bytes a pixel."""

BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), ("HEIF", "'lstmdrop[heic]'")),
    **dict.fromkeys((b"avif", b"avis"), ("AVIF", "'pillow>=11.3'")),
}
"""By how a file begins: the format, and what reads it."""

_warning, _large = threading.Lock(), threading.Lock()


def read_image(path: Path, size: int) -> Pixels:
    """The middle of an image as ``(size, size, 3)`` bytes of red, green and blue.

    The shorter side is made 256 pixels where ``size`` is 224 (bicubic) and the middle cut out; an image of
    exactly ``size`` by ``size`` stays as it is. JPEG, PNG, WebP, the first frame of a GIF and the other `FORMATS`;
    transparency becomes white, and a photograph taken sideways is turned. A JPEG or JPEG 2000 with too many pixels to
    be decoded whole is decoded at a half, a quarter or an eighth of its sides.

    Raises:
        DataError: the file is missing, empty, damaged, no image, or has too many pixels.
    """
    if not is_file(path):
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    try:
        with open_image(path) as image:
            _fit(image, size, path)
            with _large if math.prod(image.size) > LARGE else nullcontext():
                pixels = _as_rgb(image)
                return np.array(_square(_upright(pixels, _orientation(image)), size))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{path}: {_unknown(path)}") from None
    except Exception as error:  # bytes that are damaged make a decoder fail in any way it can
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: damaged ({reason})") from None


@cache
def _formats() -> tuple[str, ...]:
    with suppress(Exception):  # it is absent, or does not load: a file that needs it says how to get it
        import pillow_heif  # pyright: ignore[reportMissingImports]

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _unknown(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(12)
    name, package = BRANDS.get(begin[8:12], ("", "")) if begin[4:8] == b"ftyp" else ("", "")
    if not name or name in _formats():
        return "not an image that can be read"
    return f"an image in {name} ({begin[8:12].decode()}), which needs: pip install {package}"


def _fit(image: Image.Image, size: int, path: Path) -> None:
    """Prepare the decoding of an image with more pixels than are decoded whole."""
    most = _most_pixels()
    width, height = image.size
    if most is None or width * height <= most:
        return
    scale = min(8, max(1, min(image.size) // (2 * round(size * SHORTER_SIDE))))
    image.draft(None, (width // scale, height // scale))  # it does something for JPEG alone
    num_pixels = math.prod(image.size)
    if isinstance(image, Jpeg2KImageFile):  # its resolutions are stored apart; the size changes when it is decoded
        image.reduce = scale.bit_length() - 1
        num_pixels >>= 2 * (scale.bit_length() - 1)
    if num_pixels > most:
        raise DataError(
            f"{path}: more than {most:,} pixels, {width:,} x {height:,}\nmake it smaller, or a JPEG, which is decoded "
            f"at a smaller scale; or, with {width * height / 125e6:.1f} GB free, set {MAX_PIXELS}={width * height}"
        )


def _most_pixels() -> int | None:
    chosen = os.environ.get(MAX_PIXELS, "")
    if not chosen:
        with _warning:
            return Image.MAX_IMAGE_PIXELS
    if not chosen.isdecimal():
        raise DataError(f"{MAX_PIXELS}={chosen}: a number of pixels is needed, such as 200000000")
    return int(chosen)


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow's remarks on notes inside a photograph are passed over, and its limit of pixels: `_fit` has ours."""
    # Both belong to the whole process, so only one thread at a time may change them.
    with _warning, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = most


def open_image(path: Path) -> Image.Image:
    """Pillow's image of a file in one of the `FORMATS`, yet to be decoded, whatever its size."""
    with _quiet():
        return Image.open(path, formats=_formats())


def _orientation(image: Image.Image) -> int:
    with _quiet():
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
