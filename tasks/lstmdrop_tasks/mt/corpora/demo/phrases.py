"""Phrases of the demo: nouns, verbs and what is left to chance, in English and French."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple, TypeVar

from lstmdrop_tasks.mt.corpora.demo import lexicon
from lstmdrop_tasks.mt.corpora.demo.lexicon import (
    ALLER,
    AVOIR,
    ETAIT,
    ETRE,
    Adjective,
    Noun,
    Verb,
    begins_with_vowel,
    pluralised,
)

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """The same thing in both languages."""

    english: Words
    french: Words
    form: int
    """Which form a verb takes: 0 with *je*, 1 with *il*, 2 with *nous*, 3 with *ils*."""
    feminine: bool = False
    noun: Noun | None = None

    @property
    def plural(self) -> bool:
        """Whether it is more than one."""
        return self.form > 1


@dataclass(frozen=True, slots=True)
class Determiner:
    """A word before a noun; one that has no English singular goes with plurals alone."""

    singular: str
    plural: str
    masculine: str
    feminine: str
    french_plural: str
    masculine_before_vowel: str = ""
    feminine_before_vowel: str = ""
    """Where more changes before a vowel than elision does."""

    def french(self, noun: Noun, after: str, *, plural: bool) -> Words:
        """The form for a noun of which ``after`` is the first word that follows."""
        if plural:
            return tuple(self.french_plural.split())
        special = self.feminine_before_vowel if noun.feminine else self.masculine_before_vowel
        plain = self.feminine if noun.feminine else self.masculine
        return (special if special and begins_with_vowel(after) else plain,)


THE = Determiner("the", "the", "le", "la", "les")
A = Determiner("a", "some", "un", "une", "des")
ANY = Determiner("a", "any", "un", "une", "des")
NO = Determiner("no", "no", "de", "de", "de")
NOT_ANY = Determiner("a", "any", "de", "de", "de")
MY = Determiner("my", "my", "mon", "ma", "mes", feminine_before_vowel="mon")
HIS = Determiner("his", "his", "son", "sa", "ses", feminine_before_vowel="son")
OUR = Determiner("our", "our", "notre", "notre", "nos")
THIS = Determiner("this", "these", "ce", "cette", "ces", masculine_before_vowel="cet")
TWO = Determiner("", "two", "", "", "deux")
THREE = Determiner("", "three", "", "", "trois")
MANY = Determiner("", "many", "", "", "beaucoup de")

PRONOUNS = (
    Phrase(("I",), ("je",), form=0),
    Phrase(("he",), ("il",), form=1),
    Phrase(("she",), ("elle",), form=1, feminine=True),
    Phrase(("we",), ("nous",), form=2),
    Phrase(("they",), ("ils",), form=3),
)


def noun_phrase(determiner: Determiner, adjective: Adjective | None, noun: Noun, *, plural: bool) -> Phrase:
    """``a``, ``old``, ``tree``: *an old tree*, *un vieil arbre*."""
    plural = plural or not determiner.singular
    english = (
        determiner.plural if plural else determiner.singular,
        *([adjective.english] if adjective else []),
        noun.english_plural if plural else noun.english,
    )
    before, after = _adjectives(adjective, noun, plural=plural)
    words = (*before, noun.french_plural if plural else noun.french, *after)
    article = determiner.french(noun, words[0], plural=plural)
    if article == ("des",) and before:
        article = ("de",)  # "de petits chats"
    return Phrase(english, (*article, *words), form=3 if plural else 1, feminine=noun.feminine, noun=noun)


def _adjectives(adjective: Adjective | None, noun: Noun, *, plural: bool) -> tuple[Words, Words]:
    """What stands before the French noun, and what after it."""
    if adjective is None:
        return (), ()
    form = adjective.agreeing(feminine=noun.feminine, plural=plural)
    if not adjective.before_noun:
        return (), (form,)
    if adjective.before_vowel and begins_with_vowel(noun.french) and not noun.feminine and not plural:
        form = adjective.before_vowel
    return (form,), ()


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
