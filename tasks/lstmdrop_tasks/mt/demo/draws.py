"""What the demo leaves to chance: words, phrases, and what is done with a verb."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from lstmdrop_tasks.mt.demo import lexicon
from lstmdrop_tasks.mt.demo.lexicon import Adjective, Noun
from lstmdrop_tasks.mt.demo.noun_phrase import (
    ANY,
    HIS,
    MANY,
    MY,
    NOT_ANY,
    OUR,
    PRONOUNS,
    THE,
    THIS,
    THREE,
    TWO,
    A,
    Determiner,
    Phrase,
    Words,
    noun_phrase,
)
from lstmdrop_tasks.mt.demo.verb_phrase import Adverb, Mood, Tense

T = TypeVar("T")

DEFINITE = (THE, THE, THE, MY, HIS, OUR, THIS, TWO, THREE)
PREPOSITIONS = (("in", "dans"), ("behind", "derrière"), ("near", "près de"))


def choose(rng: Random, options: Sequence[T]) -> T:
    """One of the options; of `Random`, only ``random()`` draws the same in every version of Python."""
    return options[int(rng.random() * len(options))]


def draw_mood(rng: Random) -> Mood:
    """A statement or, one time in six, a question; no adverb where French would put it another way."""
    tense = choose(rng, tuple(Tense))
    if rng.random() < 1 / 6:
        return Mood(tense, Adverb.NONE, question=True)
    adverbs = (Adverb.NOT,) if tense is Tense.FUTURE else (Adverb.NOT, Adverb.NEVER, Adverb.OFTEN)
    return Mood(tense, choose(rng, adverbs) if rng.random() < 0.4 else Adverb.NONE, question=False)


def draw_subject(rng: Random) -> Phrase:
    """A pronoun, or somebody who can act."""
    if rng.random() < 0.4:
        return choose(rng, PRONOUNS)
    nouns = lexicon.PERSONS if rng.random() < 0.75 else lexicon.ANIMALS
    return draw_noun_phrase(rng, choose(rng, nouns), (*DEFINITE, A, MANY))


def draw_noun_phrase(rng: Random, noun: Noun, determiners: Sequence[Determiner]) -> Phrase:
    """A noun with a determiner and, one time in three, an adjective."""
    adjective = choose(rng, adjectives_of(noun)) if rng.random() < 1 / 3 else None
    return noun_phrase(choose(rng, determiners), adjective, noun, plural=rng.random() < 0.4)


def adjectives_of(noun: Noun | None) -> tuple[Adjective, ...]:
    """The adjectives that are said of a noun, or of a person that a pronoun stands for."""
    if noun is None or noun in lexicon.PERSONS:
        return lexicon.OF_PERSONS
    return lexicon.OF_ANIMALS if noun in lexicon.ANIMALS else lexicon.OF_THINGS


def indefinite(mood: Mood) -> tuple[Determiner, ...]:
    """The indefinite determiners of an object: *a*, *some*, *any* and *many*, as the verb asks for them."""
    if mood.adverb.negates:
        return (NOT_ANY, NOT_ANY, MANY)
    return (ANY, ANY, MANY) if mood.question else (A, A, MANY)


def draw_place(rng: Random, taken: Noun | None) -> tuple[Words, Words]:
    """Where it happens: *near the school*, *près de l'école*."""
    english, french = choose(rng, PREPOSITIONS)
    noun = choose(rng, [place for place in lexicon.PLACES if place != taken])
    place = noun_phrase(choose(rng, (THE, THE, MY, THIS)), None, noun, plural=False)
    return (english, *place.english), (*french.split(), *place.french)
