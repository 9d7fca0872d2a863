"""A small parallel corpus that needs no network: English sentences from a grammar, with their French."""

from __future__ import annotations

import hashlib
from random import Random
from typing import NamedTuple

from lstmdrop_tasks.mt.corpora.demo import lexicon
from lstmdrop_tasks.mt.corpora.demo.lexicon import english_sentence, french_sentence
from lstmdrop_tasks.mt.corpora.demo.phrases import (
    AM,
    CLITICS,
    DEFINITE,
    NO,
    PRONOUNS,
    THREE,
    TWO,
    WAS,
    Adverb,
    Mood,
    Tense,
    Words,
    adjectives_of,
    choose,
    draw_mood,
    draw_noun_phrase,
    draw_place,
    draw_subject,
    english_be,
    english_verb,
    french_be,
    french_group,
    french_verb,
    indefinite,
)
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, both_ways
from lstmdrop_tasks.mt.corpora.parallel import in_blocks
from lstmdrop_tasks.mt.corpora.recipe import Recipe, SplitSource

PRONOUN_VERBS = (lexicon.SEE, lexicon.LOVE, lexicon.HEAR, lexicon.FIND, lexicon.SEEK, lexicon.AWAIT)


class Clause(NamedTuple):
    """A sentence's words in both languages, before they are spelt."""

    english: Words
    french: Words
    question: bool


def draw_sentence(rng: Random) -> tuple[str, str]:
    """An English sentence and its French translation."""
    clause = choose(rng, (_transitive, _transitive, _transitive, _pronominal, _predicative, _existential))(rng)
    french = ("est-ce", "que", *clause.french) if clause.question else clause.french
    return (
        english_sentence(clause.english, question=clause.question),
        french_sentence(french, question=clause.question),
    )


def _transitive(rng: Random) -> Clause:
    """Somebody does something: *He did not open my letter.*"""
    subject, mood = draw_subject(rng), draw_mood(rng)
    verb = choose(rng, lexicon.OF_LIVING if subject.noun in lexicon.ANIMALS else tuple(lexicon.OBJECTS))
    determiners = DEFINITE if verb.preposition else (*DEFINITE, *indefinite(mood))
    nouns = [noun for noun in lexicon.OBJECTS[verb] if noun != subject.noun]
    thing = draw_noun_phrase(rng, choose(rng, nouns), determiners)
    helper, rest = english_verb(verb, subject.form, mood)
    english = _ordered(mood, subject.english, helper, (*rest, *thing.english))
    french = (*subject.french, *french_verb(verb, subject, mood), *verb.preposition.split(), *thing.french)
    return _at_times(rng, Clause(english, french, mood.question), mood)


def _pronominal(rng: Random) -> Clause:
    """A pronoun is the object: *She is going to see us.*"""
    subject, verb, mood = draw_subject(rng), choose(rng, PRONOUN_VERBS), draw_mood(rng)
    # Not "I see us": a first person that acts leaves the object to the third.
    clitic = choose(rng, [clitic for clitic in CLITICS if clitic.form % 2 or subject.form % 2])
    helper, rest = english_verb(verb, subject.form, mood)
    english = _ordered(mood, subject.english, helper, (*rest, clitic.english))
    french = (*subject.french, *french_verb(verb, subject, mood, clitic))
    return _at_times(rng, Clause(english, french, mood.question), mood)


def _predicative(rng: Random) -> Clause:
    """Somebody or something is so: *Are these white horses tired?*"""
    noun = choose(rng, lexicon.ALL_NOUNS)
    subject = choose(rng, PRONOUNS) if rng.random() < 0.3 else draw_noun_phrase(rng, noun, DEFINITE)
    mood = draw_mood(rng)
    adjective = choose(rng, [one for one in adjectives_of(subject.noun) if one.english not in subject.english])
    very = (("very",), ("très",)) if rng.random() < 0.3 else ((), ())
    helper, rest = english_be(subject.form, mood)
    english = _ordered(mood, subject.english, helper, (*rest, *very[0], adjective.english))
    predicate = adjective.agreeing(feminine=subject.feminine, plural=subject.plural)
    return Clause(english, (*subject.french, *french_be(subject.form, mood), *very[1], predicate), mood.question)


def _existential(rng: Random) -> Clause:
    """Something is somewhere: *There is no cat near the school.*"""
    question, negated, past = rng.random() < 0.2, rng.random() < 0.3, rng.random() < 0.4
    adverb = Adverb.NOT if negated and not question else Adverb.NONE
    mood = Mood(Tense.PAST if past else Tense.PRESENT, adverb, question)
    determiners = (NO,) if adverb.negates else (*indefinite(mood), TWO, THREE)
    thing = draw_noun_phrase(rng, choose(rng, lexicon.PERSONS + lexicon.ANIMALS + lexicon.THINGS), determiners)
    place = draw_place(rng, thing.noun)
    be = (WAS if past else AM)[thing.form]
    english = _ordered(mood, ("there",), (be,), (*thing.english, *place[0]))
    french = ("il", *french_group(("y", "avait" if past else "a"), adverb), *thing.french, *place[1])
    return Clause(english, french, question)


def _at_times(rng: Random, clause: Clause, mood: Mood) -> Clause:
    """With, one time in four, a word of time at the end; not after *never* or *often*."""
    if rng.random() > 0.25 or mood.adverb in (Adverb.NEVER, Adverb.OFTEN):
        return clause
    english, french = mood.tense.value
    return clause._replace(english=(*clause.english, english), french=(*clause.french, french))


def _ordered(mood: Mood, subject: Words, helper: Words, rest: Words) -> Words:
    return (*helper, *subject, *rest) if mood.question else (*subject, *helper, *rest)


PAIRS = both_ways("en-fr")
SIZES = {"train": 6000, "valid": 300, "test": 300}
SEED = 0
NUM_WORDS = range(4, 11)
"""Words an English sentence may have."""


def demo(pair: LanguagePair) -> Recipe:
    """How the corpus is made; the same everywhere."""
    splits = demo_sentences()
    content = hashlib.sha256(repr(splits).encode()).hexdigest()
    return Recipe(
        name="demo",
        pair=pair,
        inputs=(),
        split=f"drawn from a grammar, no sentence of either language twice; content {content[:16]}",
        sources={split: _source(pairs, pair) for split, pairs in splits.items()},
    )


def demo_sentences() -> dict[str, list[tuple[str, str]]]:
    """The English and French sentences of each split; no sentence of either language comes twice in them all."""
    rng = Random(SEED)
    seen: set[str] = set()
    pairs: list[tuple[str, str]] = []
    while len(pairs) < sum(SIZES.values()):
        english, french = draw_sentence(rng)
        if len(english.split()) in NUM_WORDS and seen.isdisjoint((english, french)):
            seen.update((english, french))
            pairs.append((english, french))
    drawn = iter(pairs)
    return {split: [next(drawn) for _ in range(size)] for split, size in SIZES.items()}


def _source(pairs: list[tuple[str, str]], pair: LanguagePair) -> SplitSource:
    ordered = pairs if pair.source == "en" else [(french, english) for english, french in pairs]
    return lambda _: in_blocks(iter(ordered))
