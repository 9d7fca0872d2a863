"""A pen for soft shapes, and the things that are drawn with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TypeAlias

from PIL import ImageDraw

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

WHITE: Colour = (250, 250, 250)
BLACK: Colour = (35, 32, 40)
BROWN: Colour = (134, 88, 52)
ORANGE: Colour = (240, 140, 30)

PAINTS: dict[str, Colour] = {
    "red": (228, 28, 36),
    "yellow": (255, 214, 20),
    "green": (30, 165, 60),
    "blue": (35, 75, 225),
    "white": (244, 244, 246),
}


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws shapes with a dark outline; points are fractions of a square, from its upper left corner."""

    draw: ImageDraw.ImageDraw
    left: float
    top: float
    size: float
    """Of the square, in pixels."""
    paint: Colour

    @property
    def light(self) -> Colour:
        """The paint where light falls on it."""
        return mixed(self.paint, WHITE, 0.45)

    @property
    def dark(self) -> Colour:
        """The paint in the shade."""
        return mixed(self.paint, BLACK, 0.18)

    @property
    def outline(self) -> Colour:
        """The paint's edge."""
        return mixed(self.paint, BLACK, 0.6)

    @property
    def width(self) -> int:
        """Of outlines, in pixels."""
        return max(2, round(0.03 * self.size))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled shape with straight edges."""
        self.draw.polygon([self._at(point) for point in points], fill, self.outline, self.width)

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled ellipse."""
        self.draw.ellipse((*self._at((left, top)), *self._at((right, bottom))), fill, self.outline, self.width)

    def patch(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled ellipse without an outline: a highlight or a shadow."""
        self.draw.ellipse((*self._at((left, top)), *self._at((right, bottom))), fill)

    def slab(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled rectangle with rounded corners."""
        box = (*self._at((left, top)), *self._at((right, bottom)))
        self.draw.rounded_rectangle(box, 0.04 * self.size, fill, self.outline, self.width)

    def slice(
        self, left: float, top: float, right: float, bottom: float, angles: tuple[float, float], fill: Colour
    ) -> None:
        """What is left of an ellipse when a straight cut goes through it; degrees, clockwise from the right."""
        box = (*self._at((left, top)), *self._at((right, bottom)))
        self.draw.chord(box, *angles, fill, self.outline, self.width)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 0.03) -> None:
        """A line through points, its width a fraction of the square."""
        self.draw.line([self._at(point) for point in points], fill, max(1, round(width * self.size)), joint="curve")

    def _at(self, point: Point) -> Point:
        return self.left + point[0] * self.size, self.top + point[1] * self.size


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with so much of another in it."""
    red, green, blue = (round(own + share * (new - own)) for own, new in zip(colour, other, strict=True))
    return red, green, blue


GREEN = (60, 130, 60)
GLASS = (190, 225, 245)
HUB = (190, 190, 195)
STONE = (130, 128, 132)
SLATE = (96, 100, 112)
LAMPLIGHT = (255, 236, 130)


def _ball(pen: Pen) -> None:
    pen.oval(0.08, 0.16, 0.92, 1.0, pen.paint)
    pen.slice(0.08, 0.16, 0.92, 1.0, (20, 160), pen.dark)
    pen.patch(0.24, 0.26, 0.5, 0.48, pen.light)


def _house(pen: Pen) -> None:
    pen.slab(0.7, 0.1, 0.84, 0.5, pen.dark)
    pen.slab(0.12, 0.48, 0.88, 1.0, pen.paint)
    pen.polygon([(0.0, 0.5), (0.5, 0.08), (1.0, 0.5)], pen.dark)
    pen.slab(0.42, 0.68, 0.6, 1.0, BROWN)
    pen.slab(0.19, 0.6, 0.35, 0.78, GLASS)
    pen.slab(0.67, 0.6, 0.82, 0.78, GLASS)


def _flower(pen: Pen) -> None:
    pen.line([(0.5, 0.4), (0.5, 1.0)], GREEN, 0.05)
    pen.patch(0.5, 0.74, 0.8, 0.87, GREEN)
    pen.patch(0.2, 0.66, 0.5, 0.79, GREEN)
    for petal in range(6):
        x, y = 0.5 + 0.22 * cos(petal * pi / 3), 0.34 + 0.22 * sin(petal * pi / 3)
        pen.oval(x - 0.15, y - 0.15, x + 0.15, y + 0.15, pen.paint)
    pen.oval(0.39, 0.23, 0.61, 0.45, ORANGE)


def _cat(pen: Pen) -> None:
    pen.line([(0.66, 0.93), (0.9, 0.88), (0.92, 0.66), (0.84, 0.58)], pen.outline, 0.13)
    pen.line([(0.66, 0.93), (0.9, 0.88), (0.92, 0.66), (0.84, 0.58)], pen.paint, 0.08)
    pen.oval(0.2, 0.42, 0.74, 1.0, pen.paint)
    pen.patch(0.35, 0.6, 0.59, 0.96, pen.light)
    for tip in (0.2, 0.74):
        pen.polygon([(tip, 0.0), (tip + (0.47 - tip) * 0.9, 0.16), (tip + (0.47 - tip) * 0.1, 0.34)], pen.dark)
    pen.oval(0.17, 0.1, 0.77, 0.56, pen.paint)
    for eye in (0.34, 0.6):
        pen.patch(eye - 0.055, 0.24, eye + 0.055, 0.36, BLACK)
        pen.patch(eye - 0.01, 0.26, eye + 0.03, 0.3, WHITE)
    pen.patch(0.43, 0.38, 0.51, 0.44, BLACK)
    for side in (-1, 1):
        pen.line([(0.47 + side * 0.08, 0.43), (0.47 + side * 0.33, 0.4)], BLACK, 0.015)
        pen.line([(0.47 + side * 0.08, 0.46), (0.47 + side * 0.33, 0.49)], BLACK, 0.015)


def _car(pen: Pen) -> None:
    pen.polygon([(0.2, 0.58), (0.32, 0.32), (0.68, 0.32), (0.82, 0.58)], pen.dark)
    pen.polygon([(0.27, 0.56), (0.35, 0.38), (0.48, 0.38), (0.48, 0.56)], GLASS)
    pen.polygon([(0.53, 0.56), (0.53, 0.38), (0.65, 0.38), (0.73, 0.56)], GLASS)
    pen.slab(0.0, 0.55, 1.0, 0.86, pen.paint)
    pen.patch(0.9, 0.6, 0.98, 0.69, WHITE)
    for wheel in (0.24, 0.76):
        pen.oval(wheel - 0.14, 0.72, wheel + 0.14, 1.0, BLACK)
        pen.patch(wheel - 0.06, 0.8, wheel + 0.06, 0.92, HUB)


def _boat(pen: Pen) -> None:
    pen.line([(0.48, 0.04), (0.48, 0.7)], BROWN, 0.05)
    pen.polygon([(0.52, 0.06), (0.52, 0.6), (0.92, 0.6)], pen.paint)
    pen.polygon([(0.43, 0.16), (0.43, 0.6), (0.12, 0.6)], pen.light)
    pen.polygon([(0.0, 0.68), (1.0, 0.68), (0.8, 0.96), (0.2, 0.96)], pen.paint)
    pen.line([(0.1, 0.79), (0.9, 0.79)], pen.dark, 0.05)


def _fish(pen: Pen) -> None:
    pen.polygon([(0.66, 0.62), (1.0, 0.36), (0.93, 0.62), (1.0, 0.88)], pen.dark)
    pen.polygon([(0.3, 0.42), (0.44, 0.24), (0.6, 0.42)], pen.dark)
    pen.oval(0.0, 0.36, 0.76, 0.88, pen.paint)
    pen.patch(0.16, 0.42, 0.56, 0.54, pen.light)
    pen.polygon([(0.38, 0.6), (0.56, 0.7), (0.38, 0.78)], pen.dark)
    pen.patch(0.1, 0.5, 0.24, 0.64, WHITE)
    pen.patch(0.13, 0.53, 0.21, 0.61, BLACK)


def _duck(pen: Pen) -> None:
    pen.polygon([(0.76, 0.6), (1.0, 0.44), (0.9, 0.76)], pen.dark)
    pen.oval(0.16, 0.5, 0.94, 0.98, pen.paint)
    pen.oval(0.14, 0.12, 0.54, 0.54, pen.paint)
    pen.polygon([(0.17, 0.28), (0.0, 0.38), (0.18, 0.42)], ORANGE)
    pen.patch(0.24, 0.24, 0.33, 0.33, BLACK)
    pen.slice(0.36, 0.42, 0.84, 0.86, (0, 180), pen.dark)


def _balloon(pen: Pen) -> None:
    pen.line([(0.26, 0.5), (0.42, 0.84)], BLACK, 0.02)
    pen.line([(0.74, 0.5), (0.58, 0.84)], BLACK, 0.02)
    pen.oval(0.12, 0.0, 0.88, 0.72, pen.paint)
    pen.oval(0.36, 0.0, 0.64, 0.72, pen.light)
    pen.slab(0.4, 0.82, 0.6, 1.0, BROWN)


def _kite(pen: Pen) -> None:
    pen.line([(0.5, 0.7), (0.42, 0.8), (0.56, 0.88), (0.48, 1.0)], BLACK, 0.025)
    pen.polygon([(0.5, 0.0), (0.86, 0.3), (0.5, 0.72), (0.14, 0.3)], pen.paint)
    pen.polygon([(0.5, 0.0), (0.86, 0.3), (0.5, 0.3)], pen.light)
    pen.polygon([(0.5, 0.72), (0.14, 0.3), (0.5, 0.3)], pen.dark)
    pen.polygon([(0.34, 0.78), (0.44, 0.82), (0.36, 0.88)], pen.paint)
    pen.polygon([(0.66, 0.84), (0.54, 0.88), (0.64, 0.95)], pen.paint)


def _butterfly(pen: Pen) -> None:
    for side in (-1, 1):
        inner, outer = sorted((0.5 + side * 0.02, 0.5 + side * 0.48))
        pen.oval(inner, 0.1, outer, 0.6, pen.paint)
        lower, lowest = sorted((0.5 + side * 0.02, 0.5 + side * 0.36))
        pen.oval(lower, 0.5, lowest, 0.92, pen.dark)
        spot = 0.5 + side * 0.3
        pen.patch(spot - 0.08, 0.26, spot + 0.08, 0.42, pen.light)
        pen.line([(0.5, 0.2), (0.5 + side * 0.12, 0.02)], BLACK, 0.025)
    pen.oval(0.44, 0.16, 0.56, 0.86, BLACK)


def _tree(pen: Pen) -> None:
    pen.slab(0.43, 0.8, 0.57, 1.0, BROWN)
    for bottom, half in ((0.86, 0.36), (0.62, 0.3), (0.4, 0.22)):
        pen.polygon([(0.5, bottom - 0.4), (0.5 + half, bottom), (0.5 - half, bottom)], pen.paint)


def _lighthouse(pen: Pen) -> None:
    pen.slice(0.1, 0.82, 0.9, 1.18, (180, 360), STONE)
    for storey in range(4):
        half, top = 0.2 - 0.025 * storey, 0.72 - 0.16 * storey
        corners = [(0.5 - half, top + 0.16), (0.5 + half, top + 0.16), (0.475 + half, top), (0.525 - half, top)]
        pen.polygon(corners, SLATE if storey % 2 == 0 else pen.paint)
    pen.slab(0.4, 0.12, 0.6, 0.24, LAMPLIGHT)
    pen.polygon([(0.36, 0.12), (0.5, 0.0), (0.64, 0.12)], BLACK)


def _cloud(pen: Pen) -> None:
    puffs = ((0.0, 0.6, 0.45, 1.0), (0.55, 0.6, 1.0, 1.0), (0.15, 0.45, 0.6, 0.95), (0.4, 0.4, 0.85, 0.95))
    for left, top, right, bottom in puffs:
        pen.oval(left, top, right, bottom, pen.paint)
    for left, top, right, bottom in puffs:  # over the outlines inside
        pen.patch(left + 0.03, top + 0.03, right - 0.03, bottom - 0.03, pen.paint)


DRAWINGS: dict[str, Callable[[Pen], None]] = {
    "ball": _ball,
    "house": _house,
    "flower": _flower,
    "cat": _cat,
    "car": _car,
    "boat": _boat,
    "fish": _fish,
    "duck": _duck,
    "balloon": _balloon,
    "kite": _kite,
    "butterfly": _butterfly,
    "tree": _tree,
    "lighthouse": _lighthouse,
    "cloud": _cloud,
}
"""By noun."""
