"""A scene as a picture, before its background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from lstmdrop_tasks.caption.corpora.demo.drawing import DRAWINGS, PAINTS, WHITE, Colour, Pen, mixed
from lstmdrop_tasks.caption.corpora.demo.scene import Kind, Realm, Scene


def draw_background(place: str, size: int, rng: Random) -> Image.Image:
    """A square picture of the place, with nothing in it yet; no two are quite the same."""
    sky, ground, horizon = GROUNDS[place]
    line = round((horizon + 0.06 * (rng.random() - 0.5)) * size)
    image = Image.new("RGB", (size, size))
    image.paste(_gradient(sky, mixed(sky, WHITE, 0.5 if place != "night" else 0.15), size, line), (0, 0))
    image.paste(
        _gradient(ground, mixed(ground, WHITE, 0.25 if place != "night" else 0.05), size, size - line), (0, line)
    )
    DETAILS[place](ImageDraw.Draw(image), size, line, rng)
    return image


def _gradient(upper: Colour, lower: Colour, width: int, height: int) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", ramp.size, lower), Image.new("RGB", ramp.size, upper), ramp)


def _meadow(draw: ImageDraw.ImageDraw, size: int, line: int, rng: Random) -> None:
    hill = size * (0.2 + 0.6 * rng.random())
    draw.ellipse((hill - 0.5 * size, line - 0.09 * size, hill + 0.5 * size, line + 0.2 * size), (104, 176, 88))
    for _ in range(30):
        x, y = rng.random() * size, line + (0.08 + 0.9 * rng.random()) * (size - line)
        for lean in (-0.015, 0.0, 0.015):
            draw.line((x, y, x + lean * size, y - 0.035 * size), (66, 138, 58), max(1, size // 170))


def _snow(draw: ImageDraw.ImageDraw, size: int, line: int, rng: Random) -> None:
    hill = size * (0.2 + 0.6 * rng.random())
    draw.ellipse((hill - 0.5 * size, line - 0.08 * size, hill + 0.5 * size, line + 0.2 * size), (236, 240, 247))
    _dots(draw, size, size, 45, 0.011, (255, 255, 255), rng)


def _beach(draw: ImageDraw.ImageDraw, size: int, line: int, rng: Random) -> None:
    draw.rectangle((0, line, size, line + 0.13 * size), (52, 142, 190))
    for start in range(-1, 9):
        x = (start + rng.random() * 0.4) * size / 8
        draw.ellipse((x, line + 0.11 * size, x + 0.17 * size, line + 0.15 * size), (246, 250, 250))
    for _ in range(40):
        x, y = rng.random() * size, line + 0.2 * size + rng.random() * (0.8 * size - line)
        draw.ellipse((x, y, x + 0.01 * size, y + 0.008 * size), (196, 164, 104))


def _night(draw: ImageDraw.ImageDraw, size: int, line: int, rng: Random) -> None:
    _dots(draw, size, line, 30, 0.008, (250, 246, 210), rng)
    x, y = (0.1 + 0.7 * rng.random()) * size, 0.06 * size
    draw.ellipse((x, y, x + 0.13 * size, y + 0.13 * size), (252, 240, 190))
    draw.ellipse((x + 0.045 * size, y - 0.015 * size, x + 0.16 * size, y + 0.1 * size), (24, 28, 70))


def _sea(draw: ImageDraw.ImageDraw, size: int, line: int, rng: Random) -> None:
    for _ in range(16):
        x, y = rng.random() * size, line + (0.05 + 0.9 * rng.random()) * (size - line)
        for step in range(2):
            left = x + step * 0.05 * size
            draw.arc((left, y, left + 0.055 * size, y + 0.03 * size), 180, 360, (150, 208, 232), max(1, size // 130))


def _dots(
    draw: ImageDraw.ImageDraw, width: int, height: int, number: int, radius: float, colour: Colour, rng: Random
) -> None:
    for _ in range(number):
        x, y, reach = rng.random() * width, rng.random() * height, radius * width * (0.5 + 0.5 * rng.random())
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), colour)


GROUNDS: dict[str, tuple[Colour, Colour, float]] = {
    "meadow": ((120, 190, 240), (112, 186, 84), 0.46),
    "snow": ((128, 152, 188), (232, 238, 246), 0.46),
    "beach": ((110, 196, 246), (236, 208, 148), 0.38),
    "night": ((24, 28, 70), (66, 74, 100), 0.5),
    "sea": ((136, 204, 246), (30, 112, 176), 0.44),
}
"""Colours of the sky and of what is below it, and how far down they meet."""

DETAILS: dict[str, Callable[[ImageDraw.ImageDraw, int, int, Random], None]] = {
    "meadow": _meadow,
    "snow": _snow,
    "beach": _beach,
    "night": _night,
    "sea": _sea,
}


SIZE = 128
"""Pixels of a side."""
FINE = 3
"""It is drawn so many times larger, and reduced, so that edges are smooth."""

SIDES = (0.0, 0.46, 0.355, 0.225)
"""The side of a thing, in fractions of the picture, for each number of them: they always fit beside a landmark."""
LANDMARK_SIDE = 0.34
LANDMARK_PAINTS: dict[str, Colour] = {"tree": (48, 124, 72), "lighthouse": WHITE, "cloud": (238, 241, 246)}


class Spot(NamedTuple):
    """The square around a thing, in fractions of the picture."""

    left: float
    top: float
    side: float


class Thing(NamedTuple):
    """A single thing that is to be drawn."""

    noun: str
    paint: Colour
    spot: Spot


def draw_picture(scene: Scene, rng: Random) -> Image.Image:
    """The scene, its things somewhat moved and resized."""
    size = SIZE * FINE
    image = draw_background(scene.place.name, size, rng)
    draw = ImageDraw.Draw(image)
    for thing in arrange(scene, rng):
        left, top, side = (size * value for value in thing.spot)
        DRAWINGS[thing.noun](Pen(draw, left, top, side, thing.paint))
    return image.reduce(FINE)


def arrange(scene: Scene, rng: Random) -> Iterator[Thing]:
    """Every single thing where it goes, what is further back first."""
    group, landmark = scene.group, scene.landmark
    room = (0.02, 0.98)
    if landmark is not None:
        in_row = landmark.realm is group.kind.realm
        spot = _spot_of_landmark(landmark, rng, in_row=in_row)
        if in_row:
            room = (0.28, 0.99) if spot.left < 0.5 else (0.01, 0.72)
        yield Thing(landmark.noun, LANDMARK_PAINTS[landmark.noun], spot)
    for spot in _row(group.number, room, rng, in_air=group.kind.realm is Realm.AIR):
        yield Thing(group.kind.noun, PAINTS[group.colour], spot)


def _spot_of_landmark(landmark: Kind, rng: Random, *, in_row: bool) -> Spot:
    """At one side if things stand in a row with it, else anywhere above or below them."""
    room = 1 - LANDMARK_SIDE
    if in_row:
        left = 0.02 * rng.random() + (0.0 if rng.random() < 0.5 else room - 0.02)
    else:
        left = room * (0.1 + 0.8 * rng.random())
    if landmark.realm is Realm.AIR:
        return Spot(left, 0.05 * rng.random(), LANDMARK_SIDE)
    bottom = (0.62 if in_row else 0.86) + 0.06 * rng.random()
    return Spot(left, bottom - LANDMARK_SIDE, LANDMARK_SIDE)


def _row(number: int, room: tuple[float, float], rng: Random, *, in_air: bool) -> Iterator[Spot]:
    begin, end = room
    slot = (end - begin) / number
    for position in range(number):
        side = min(SIDES[number] * (0.95 + 0.07 * rng.random()), slot)
        left = begin + slot * position + (slot - side) * rng.random()
        bottom = 0.4 + 0.1 * rng.random() if in_air else 0.84 + 0.13 * rng.random()
        yield Spot(left, max(0.01, bottom - side), side)
