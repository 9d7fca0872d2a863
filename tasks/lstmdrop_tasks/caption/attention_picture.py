"""A picture of where the model looked for each word."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isqrt
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lstmdrop_tasks.caption.images.reading import open_image

TILE = 168
"""Pixels of a tile's side."""
GAP = 12
LABEL = 30
"""Pixels below a tile for its word."""
FONT_SIZE = 19
MOST_COLUMNS = 6
INK = (32, 33, 36)
PAPER = (255, 255, 255)
DIMMEST = 0.12
"""What is left of the light where the model did not look."""


def attention_picture(
    image: Image.Image | Path, words: Sequence[str], weights: Sequence[Sequence[float]]
) -> Image.Image:
    """Tiles in rows: the image, then for each word the image, dark where the model did not look.

    The places of a word's weights are a square map, row by row. Each tile is as bright as it gets where its word's
    weight is greatest.

    Raises:
        ValueError: words and their weights differ in number, or the weights are not of a square map.
    """
    if len(words) != len(weights):
        raise ValueError(f"{len(words)} words but weights for {len(weights)}")
    plain = _square(image)
    tiles = [plain, *(_lit(plain, own) for own in weights)]
    columns = min(MOST_COLUMNS, ceil(len(tiles) ** 0.5 * 1.3))
    rows = ceil(len(tiles) / columns)
    page = Image.new("RGB", (GAP + columns * (TILE + GAP), GAP + rows * (TILE + LABEL + GAP)), PAPER)
    for number, (tile, word) in enumerate(zip(tiles, ["", *words], strict=True)):
        row, column = divmod(number, columns)
        left, top = GAP + column * (TILE + GAP), GAP + row * (TILE + LABEL + GAP)
        page.paste(tile, (left, top))
        _write(page, word, left + TILE // 2, top + TILE + LABEL // 2)
    return page


def _square(image: Image.Image | Path) -> Image.Image:
    """What an encoder sees: the whole image, pressed into a square."""
    if isinstance(image, Path):
        with open_image(image) as opened:
            return opened.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
    return image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)


def _lit(image: Image.Image, weights: Sequence[float]) -> Image.Image:
    side = isqrt(len(weights))
    if side == 0 or side * side != len(weights):
        raise ValueError(f"{len(weights)} weights are not a square map")
    greatest = max(weights) or 1.0
    light = Image.new("L", (side, side))
    light.putdata([round(255 * (DIMMEST + (1 - DIMMEST) * weight / greatest)) for weight in weights])
    return Image.composite(image, Image.new("RGB", image.size), light.resize(image.size, Image.Resampling.BICUBIC))


def _write(page: Image.Image, word: str, x: int, y: int) -> None:
    """The word in the middle of its place, smaller if it is long."""
    draw = ImageDraw.Draw(page)
    size = FONT_SIZE
    while size > 8 and draw.textlength(word, ImageFont.load_default(size)) > TILE:
        size -= 1
    draw.text((x, y), word, INK, ImageFont.load_default(size), anchor="mm")
