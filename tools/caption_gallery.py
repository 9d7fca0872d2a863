"""A picture of six test images of the demo with the captions that a run writes, each marked right or wrong.

    python tools/caption_gallery.py runs/caption-demo --out docs/images/caption-demo.png

Four that are right and two that are wrong are shown; where there are fewer of the one, there are more of the other.
Below a wrong one stands the true caption that is nearest to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

import lstmdrop
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.corpora.demo.corpus import demo, demo_scenes, is_right
from lstmdrop_tasks.caption.corpora.demo.scene import true_captions

WIDTH = 900
COLUMNS = 3
GAP = 18
TILE = (WIDTH - GAP * (COLUMNS + 1)) // COLUMNS
"""Pixels of an image's side."""
FONT_SIZE = 17
LINE = 23
MARK = 18
"""Pixels across the sign of right or wrong."""

INK = (32, 33, 36)
PALE = (95, 99, 104)
PAPER = (255, 255, 255)
RIGHT = (24, 128, 56)
WRONG = (197, 34, 31)


@dataclass(frozen=True, slots=True)
class Entry:
    """An image and what was written about it."""

    image: Path
    caption: str
    correction: str | None = None
    """A true caption; None where the one above is right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Caption the test split, choose, draw, and say how many captions are right."""
    options = _options().parse_args(arguments)
    images = demo().splits["test"]
    outputs = lstmdrop.predict("caption", runs=[options.run], inputs=[str(image.source) for image in images])
    entries = [judge(image, output["text"]) for image, output in zip(images, outputs, strict=True)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw_gallery(select(entries, options.right, options.wrong)).save(options.out, optimize=True)
    num_right = sum(entry.correction is None for entry in entries)
    print(f"{num_right} of {len(entries)} captions are right ({num_right / len(entries):.1%}); {options.out}")
    return 0


def judge(image: CaptionedImage, caption: str) -> Entry:
    """The caption beside its image; a wrong one with the nearest of all that are true."""
    if is_right(caption, image.id):
        return Entry(image.source, caption)
    true = sorted(true_captions(demo_scenes()[image.id]))
    nearest = max(true, key=lambda own: SequenceMatcher(None, caption.split(), own.split()).ratio())
    return Entry(image.source, caption, nearest)


def select(entries: Sequence[Entry], num_right: int, num_wrong: int) -> list[Entry]:
    """The first right ones, then the first wrong ones; so many in all, if there are."""
    right = [entry for entry in entries if entry.correction is None]
    wrong = [entry for entry in entries if entry.correction is not None]
    size = num_right + num_wrong
    num_wrong = min(len(wrong), max(num_wrong, size - len(right)))
    return right[: size - num_wrong] + wrong[:num_wrong]


def draw_gallery(entries: Sequence[Entry]) -> Image.Image:
    """The images three in a row, each above its caption."""
    rows = [entries[start : start + COLUMNS] for start in range(0, len(entries), COLUMNS)]
    heights = [TILE + max(map(_text_height, row)) + GAP for row in rows]
    page = Image.new("RGB", (WIDTH, GAP + sum(heights)), PAPER)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        for column, entry in enumerate(row):
            _draw_entry(page, entry, GAP + column * (TILE + GAP), top)
        top += height
    return page


def _draw_entry(page: Image.Image, entry: Entry, left: int, top: int) -> None:
    with Image.open(entry.image) as image:
        page.paste(image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(page)
    caption, correction = _lines(entry)
    colour = RIGHT if entry.correction is None else WRONG
    y = top + TILE + 10
    _draw_mark(draw, left, y + 2, right=entry.correction is None)
    for lines, ink in ((caption, colour), (correction, PALE)):
        for line in lines:
            draw.text((left + MARK + 8, y), line, ink, ImageFont.load_default(FONT_SIZE))
            y += LINE


def _draw_mark(draw: ImageDraw.ImageDraw, left: int, top: int, *, right: bool) -> None:
    """A tick or a cross, drawn, for a font need not have them."""

    def line(*points: tuple[float, float]) -> None:
        draw.line([(left + x * MARK, top + y * MARK) for x, y in points], PAPER, 2)

    draw.ellipse((left, top, left + MARK, top + MARK), RIGHT if right else WRONG)
    if right:
        line((0.25, 0.52), (0.43, 0.7), (0.76, 0.32))
    else:
        line((0.3, 0.3), (0.7, 0.7))
        line((0.7, 0.3), (0.3, 0.7))


def _lines(entry: Entry) -> tuple[list[str], list[str]]:
    """Caption and correction, as wide as an image."""
    return _wrapped(entry.caption), _wrapped(f"true: {entry.correction}") if entry.correction else []


def _wrapped(text: str) -> list[str]:
    """As many characters in a line as fit whatever the line."""
    font = ImageFont.load_default(FONT_SIZE)
    room = TILE - MARK - 8
    columns = len(text)
    while columns > 1 and any(font.getlength(line) > room for line in wrap(text, columns)):
        columns -= 1
    return wrap(text, columns)


def _text_height(entry: Entry) -> int:
    return 10 + LINE * sum(map(len, _lines(entry)))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--right", type=int, default=4, help="how many right ones")
    parser.add_argument("--wrong", type=int, default=2, help="how many wrong ones")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
