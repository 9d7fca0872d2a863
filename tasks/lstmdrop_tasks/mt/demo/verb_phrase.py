"""Verbs of the demo with their helpers and negations, in both languages."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from lstmdrop_tasks.mt.demo.lexicon import ALLER, AVOIR, ETAIT, ETRE, Verb, pluralised
from lstmdrop_tasks.mt.demo.noun_phrase import Phrase, Words

AM = ("am", "is", "are", "are")
WAS = ("was", "was", "were", "were")
DO = ("do", "does", "do", "do")


class Tense(Enum):
    """When it happens, with the adverb that goes with it."""

    PRESENT = ("today", "aujourd'hui")
    PAST = ("yesterday", "hier")
    FUTURE = ("tomorrow", "demain")


class Adverb(Enum):
    """A word or two about the verb, English and French."""

    NONE = ("", "")
    NOT = ("not", "pas")
    NEVER = ("never", "jamais")
    OFTEN = ("often", "souvent")

    @property
    def negates(self) -> bool:
        """Whether French says *ne* as well."""
        return self in (Adverb.NOT, Adverb.NEVER)


class Mood(NamedTuple):
    """What a clause does with its verb."""

    tense: Tense
    adverb: Adverb
    question: bool


class Clitic(NamedTuple):
    """A pronoun that French puts before the verb."""

    english: str
    french: str
    form: int
    """Of the subject that it stands for: 0 is *I*, as in `Phrase`."""


CLITICS = (Clitic("me", "me", 0), Clitic("him", "le", 1), Clitic("us", "nous", 2), Clitic("them", "les", 3))


def english_verb(verb: Verb, form: int, mood: Mood) -> tuple[Words, Words]:
    """The helper that a question puts before the subject, and the rest; the helper may be none."""
    adverb = _english(mood.adverb)
    if mood.tense is Tense.FUTURE:
        return (AM[form],), (*adverb, "going", "to", verb.base)
    past = mood.tense is Tense.PAST
    if mood.question or mood.adverb is Adverb.NOT:
        return ("did" if past else DO[form],), (*adverb, verb.base)
    return (), (*adverb, verb.past if past else verb.third if form == 1 else verb.base)


def english_be(form: int, mood: Mood) -> tuple[Words, Words]:
    """As `english_verb`, of *to be*."""
    helper = WAS[form] if mood.tense is Tense.PAST else AM[form]
    return (helper,), (*_english(mood.adverb), *(("going", "to", "be") if mood.tense is Tense.FUTURE else ()))


def french_verb(verb: Verb, subject: Phrase, mood: Mood, clitic: Clitic | None = None) -> Words:
    """All of the verb: *ne les a pas vus*, *ne va pas le voir*."""
    pronoun = (clitic.french,) if clitic else ()
    if mood.tense is Tense.FUTURE:
        return french_group((ALLER[subject.form],), mood.adverb, (*pronoun, verb.infinitive))
    if mood.tense is Tense.PRESENT:
        return french_group((*pronoun, verb.french[subject.form]), mood.adverb)
    helper = ETRE if verb.with_etre else AVOIR
    return french_group((*pronoun, helper[subject.form]), mood.adverb, (_participle(verb, subject, clitic),))


def french_be(form: int, mood: Mood) -> Words:
    """As `french_verb`, of *être*; its past is the imperfect, for it describes."""
    if mood.tense is Tense.FUTURE:
        return french_group((ALLER[form],), mood.adverb, ("être",))
    return french_group(((ETAIT if mood.tense is Tense.PAST else ETRE)[form],), mood.adverb)


def french_group(finite: Words, adverb: Adverb, rest: Words = ()) -> Words:
    """The adverb after the finite verb, and *ne* before it where it negates."""
    ne = ("ne",) if adverb.negates else ()
    return (*ne, *finite, *filter(None, adverb.value[1:]), *rest)


def _participle(verb: Verb, subject: Phrase, clitic: Clitic | None) -> str:
    """With *être* it agrees with the subject, with *avoir* with an object before it."""
    if verb.with_etre:
        form = verb.participle + ("e" if subject.feminine else "")
        return pluralised(form) if subject.plural else form
    return pluralised(verb.participle) if clitic and clitic.form > 1 else verb.participle


def _english(adverb: Adverb) -> Words:
    return tuple(filter(None, adverb.value[:1]))
