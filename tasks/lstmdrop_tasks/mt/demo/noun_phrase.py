"""Noun phrases of the demo in both languages, with what has to agree with them."""

from __future__ import annotations

from dataclasses import dataclass

from lstmdrop_tasks.mt.demo.lexicon import Adjective, Noun
from lstmdrop_tasks.mt.demo.spelling import begins_with_vowel

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
