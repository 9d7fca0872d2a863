"""What the demo's scenes can show, and the words for it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Realm(Enum):
    """Where a thing can be."""

    LAND = "land"
    WATER = "water"
    AIR = "air"


class Kind(NamedTuple):
    """A kind of thing."""

    noun: str
    plural: str
    verb: str
    """What one of them does."""
    plural_verb: str
    realm: Realm


class Place(NamedTuple):
    """A background, and the phrases for it."""

    name: str
    realm: Realm
    """Of what is not in the air."""
    inside: tuple[str, ...]
    """Where the things of that realm are."""
    over: tuple[str, ...]
    """Where things in the air are."""
    own_colour: str
    """Things of the same colour would hardly be seen; empty for a place that hides none."""


KINDS = (
    Kind("ball", "balls", "lies", "lie", Realm.LAND),
    Kind("house", "houses", "stands", "stand", Realm.LAND),
    Kind("flower", "flowers", "grows", "grow", Realm.LAND),
    Kind("cat", "cats", "sits", "sit", Realm.LAND),
    Kind("car", "cars", "stands", "stand", Realm.LAND),
    Kind("boat", "boats", "floats", "float", Realm.WATER),
    Kind("fish", "fish", "swims", "swim", Realm.WATER),
    Kind("duck", "ducks", "swims", "swim", Realm.WATER),
    Kind("balloon", "balloons", "floats", "float", Realm.AIR),
    Kind("kite", "kites", "flies", "fly", Realm.AIR),
    Kind("butterfly", "butterflies", "flies", "fly", Realm.AIR),
)

LANDMARKS = (
    Kind("tree", "trees", "stands", "stand", Realm.LAND),
    Kind("lighthouse", "lighthouses", "stands", "stand", Realm.WATER),
    Kind("cloud", "clouds", "floats", "float", Realm.AIR),
)
"""They always look the same, so a caption tells no colour."""

PLACES = (
    Place("meadow", Realm.LAND, ("in a meadow", "on the grass"), ("over a meadow",), "green"),
    Place("snow", Realm.LAND, ("in the snow",), ("over the snow",), ""),
    Place("beach", Realm.LAND, ("on a beach", "on the sand"), ("over a beach",), ""),
    Place("night", Realm.LAND, ("at night", "in the dark"), ("at night", "in the dark"), ""),
    Place("sea", Realm.WATER, ("in the sea", "in the water"), ("over the sea", "over the water"), "blue"),
)

COLOURS = ("red", "yellow", "green", "blue", "white")
NUMBERS = ("", "a", "two", "three")
"""The word for each number of things."""
