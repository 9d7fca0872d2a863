"""Drawing in the unit square of one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
