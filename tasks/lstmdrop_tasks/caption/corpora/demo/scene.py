"""A scene: what a picture shows, and how a caption may speak of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from itertools import product
from random import Random
from typing import NamedTuple, TypeVar


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


OF_GROUP = (
    "{group} {place}",
    "{group} {verb} {place}",
    "{place} {be} {group}",
    "there {be} {group} {place}",
    "{place} there {be} {group}",
    "{picture} of {group} {place}",
    "there {be} {group} {here}",
)
"""What can be said of any scene."""

OF_BOTH = (
    "{group} {beside} {landmark} {ground}",
    "{group} {verb} {beside} {landmark} {ground}",
    "{ground} {group} {verb} {beside} {landmark}",
    "there {be} {group} {beside} {landmark} {ground}",
    "{landmark} {reverse} {group} {ground}",
    "{landmark} {landmark_verb} {reverse} {group} {ground}",
    "{picture} of {group} and {landmark}",
)
"""What can be said of a scene with a landmark too."""

BESIDE = ("beside", "next to", "near")
UNDER = ("under", "below")
ABOVE = ("above",)
PICTURE = ("a picture", "a drawing", "a view")
HERE = ("in this picture", "in this drawing", "to be seen")


def draw_captions(scene: Scene, number: int, rng: Random) -> tuple[str, ...]:
    """So many sentences that differ in more than a synonym; where there is a landmark, one does not name it."""
    patterns = list(OF_GROUP if scene.landmark is None else OF_BOTH)
    while len(patterns) > number:
        patterns.pop(int(rng.random() * len(patterns)))
    if scene.landmark is not None:
        patterns[int(rng.random() * len(patterns))] = choose(rng, OF_GROUP)
    return tuple(_sentence(choose(rng, list(_spelled(pattern, scene)))) for pattern in patterns)


@lru_cache(maxsize=4096)
def true_captions(scene: Scene) -> frozenset[str]:
    """All that the grammar can say of the scene, in small letters without marks."""
    patterns = OF_GROUP if scene.landmark is None else (*OF_GROUP, *OF_BOTH)
    return frozenset(caption for pattern in patterns for caption in _spelled(pattern, scene))


def _spelled(pattern: str, scene: Scene) -> Iterator[str]:
    """The pattern with every choice of synonyms."""
    used = {name: words for name, words in _words(scene).items() if "{" + name + "}" in pattern}
    for words in product(*used.values()):
        yield pattern.format(**dict(zip(used, words, strict=True)))


def _words(scene: Scene) -> dict[str, tuple[str, ...]]:
    """What can stand for each part of a pattern."""
    (number, colour, kind), landmark, place = scene.group, scene.landmark, scene.place
    one = number == 1
    own = {
        "group": (f"{NUMBERS[number]} {colour} {kind.noun if one else kind.plural}",),
        "verb": (kind.verb if one else kind.plural_verb,),
        "be": ("is" if one else "are",),
        "picture": PICTURE,
        "here": HERE,
        "place": place.over if kind.realm is Realm.AIR else place.inside,
    }
    if landmark is None:
        return own
    beside, reverse = _relations(kind.realm, landmark.realm)
    return own | {
        "landmark": (f"a {landmark.noun}",),
        "landmark_verb": (landmark.verb,),
        "beside": beside,
        "reverse": reverse,
        "ground": place.over if kind.realm is landmark.realm is Realm.AIR else place.inside,
    }


def _relations(one: Realm, other: Realm) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words for where the one is, seen from the other, and the other way round."""
    if one is other:
        return BESIDE, BESIDE
    return (ABOVE, UNDER) if one is Realm.AIR else (UNDER, ABOVE)


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."
