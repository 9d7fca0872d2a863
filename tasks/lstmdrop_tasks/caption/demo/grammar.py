"""The captions of the demo: plain sentences about a scene, some with less detail than others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from random import Random

from lstmdrop_tasks.caption.demo.lexicon import NUMBERS, Realm
from lstmdrop_tasks.caption.demo.scene import Scene, choose

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
