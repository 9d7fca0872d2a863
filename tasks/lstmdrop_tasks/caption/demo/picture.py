"""A scene as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from lstmdrop_tasks.caption.demo.background import draw_background
from lstmdrop_tasks.caption.demo.lexicon import Kind, Realm
from lstmdrop_tasks.caption.demo.pen import PAINTS, WHITE, Colour, Pen
from lstmdrop_tasks.caption.demo.scene import Scene
from lstmdrop_tasks.caption.demo.things import DRAWINGS

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
