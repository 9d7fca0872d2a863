"""A scene: what a picture shows, as far as a caption may speak of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar

from lstmdrop_tasks.caption.demo.lexicon import COLOURS, KINDS, LANDMARKS, NUMBERS, PLACES, Kind, Place, Realm

T = TypeVar("T")

COMPANY = 0.6
"""How often there is a landmark."""


class Group(NamedTuple):
    """Things of one kind and colour."""

    number: int
    colour: str
    kind: Kind


class Scene(NamedTuple):
    """A group in a place, perhaps with a landmark."""

    place: Place
    group: Group
    landmark: Kind | None


def choose(rng: Random, options: Sequence[T]) -> T:
    """One of the options; of `Random`, only ``random()`` draws the same in every version of Python."""
    return options[int(rng.random() * len(options))]


def draw_scene(rng: Random) -> Scene:
    """Any scene that makes sense: no house in the sea, no fish on land, nothing green on grass."""
    place = choose(rng, PLACES)
    realms = (place.realm, Realm.AIR)
    kind = choose(rng, [kind for kind in KINDS if kind.realm in realms])
    colour = choose(rng, [colour for colour in COLOURS if colour != place.own_colour])
    group = Group(1 + int(rng.random() * (len(NUMBERS) - 1)), colour, kind)
    landmarks = [landmark for landmark in LANDMARKS if landmark.realm in realms]
    return Scene(place, group, choose(rng, landmarks) if rng.random() < COMPANY else None)
