"""The demo's French, form by form, against what a grammar of French says."""

from __future__ import annotations

import pytest

from lstmdrop_tasks.mt.corpora.demo import lexicon, phrases
from lstmdrop_tasks.mt.corpora.demo.lexicon import Noun, english_sentence, french_sentence, pluralised
from lstmdrop_tasks.mt.corpora.demo.phrases import (
    CLITICS,
    Adverb,
    Determiner,
    Mood,
    Phrase,
    Tense,
    english_be,
    english_verb,
    french_be,
    french_verb,
)
from lstmdrop_tasks.mt.corpora.demo.phrases import noun_phrase as phrase

NOUNS = {noun.english: noun for noun in lexicon.ALL_NOUNS}
JE, IL, ELLE, NOUS, ILS = phrases.PRONOUNS
ME, HIM, US, THEM = CLITICS
QUEENS = phrase(phrases.THE, None, NOUNS["queen"], plural=True)


def french(words: str, *, question: bool = False) -> str:
    return french_sentence(words.split(), question=question)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("le homme voit le héros", "L'homme voit le héros."),
        ("je aime la actrice", "J'aime l'actrice."),
        ("il ne aime pas le hôtel", "Il n'aime pas l'hôtel."),
        ("il ne y a pas de arbre", "Il n'y a pas d'arbre."),
        ("il parle de le chat", "Il parle du chat."),
        ("il parle de le ami", "Il parle de l'ami."),
        ("il parle de les amis", "Il parle des amis."),
        ("il parle de la reine", "Il parle de la reine."),
        ("il parle de un roi", "Il parle d'un roi."),
        ("il va à le jardin", "Il va au jardin."),
        ("il va à les écoles", "Il va aux écoles."),
        ("il va à la école", "Il va à l'école."),
        ("je ne le ai pas vu", "Je ne l'ai pas vu."),
        ("il va le voir", "Il va le voir."),
        ("beaucoup de enfants me aiment", "Beaucoup d'enfants m'aiment."),
        ("la une", "L'une."),
    ],
)
def test_elision_and_contraction(words: str, expected: str) -> None:
    assert french(words) == expected


def test_a_question_has_its_mark_and_que_is_elided() -> None:
    assert french("est-ce que elle dort", question=True) == "Est-ce qu'elle dort ?"
    assert french("est-ce que le homme dort", question=True) == "Est-ce que l'homme dort ?"
    assert english_sentence(["is", "a", "old", "man", "a", "hero"], question=True) == "Is an old man a hero?"
    assert english_sentence(["a", "apple"], question=False) == "An apple."


@pytest.mark.parametrize(
    ("determiner", "adjective", "noun", "plural", "expected"),
    [
        (phrases.THE, lexicon.OLD, "man", False, "le vieil homme"),
        (phrases.THE, lexicon.OLD, "man", True, "les vieux hommes"),
        (phrases.THE, lexicon.OLD, "hero", False, "le vieux héros"),
        (phrases.THE, lexicon.OLD, "actress", False, "la vieille actrice"),
        (phrases.A, lexicon.BEAUTIFUL, "bird", False, "un bel oiseau"),
        (phrases.A, lexicon.BEAUTIFUL, "horse", True, "de beaux chevaux"),
        (phrases.A, lexicon.WHITE, "horse", True, "des chevaux blancs"),
        (phrases.A, None, "castle", True, "des châteaux"),
        (phrases.NOT_ANY, None, "cat", False, "de chat"),
        (phrases.NO, lexicon.NEW, "tree", False, "de nouvel arbre"),
        (phrases.MANY, lexicon.YOUNG, "mouse", False, "beaucoup de jeunes souris"),
        (phrases.MY, None, "actress", False, "mon actrice"),
        (phrases.MY, lexicon.YOUNG, "actress", False, "ma jeune actrice"),
        (phrases.HIS, lexicon.HAPPY, "woman", False, "sa femme heureuse"),
        (phrases.HIS, None, "school", True, "ses écoles"),
        (phrases.OUR, lexicon.RED, "door", True, "nos portes rouges"),
        (phrases.THIS, None, "child", False, "cet enfant"),
        (phrases.THIS, lexicon.SMALL, "child", False, "ce petit enfant"),
        (phrases.THIS, None, "hero", False, "ce héros"),
        (phrases.THIS, None, "school", False, "cette école"),
        (phrases.THREE, lexicon.SMALL, "newspaper", False, "trois petits journaux"),
    ],
)
def test_what_stands_with_a_noun_agrees_with_it(
    determiner: Determiner, adjective: lexicon.Adjective | None, noun: str, plural: bool, expected: str
) -> None:
    assert " ".join(phrase(determiner, adjective, NOUNS[noun], plural=plural).french) == expected


def test_english_noun_phrases() -> None:
    mice = phrase(phrases.THIS, lexicon.SMALL, NOUNS["mouse"], plural=True)
    assert (mice.english, mice.form, mice.plural, mice.feminine) == (("these", "small", "mice"), 3, True, True)
    assert phrase(phrases.MANY, None, NOUNS["actress"], plural=False).english == ("many", "actresses")
    assert {noun.english_plural for noun in lexicon.PERSONS} >= {"men", "women", "children", "heroes", "neighbours"}


@pytest.mark.parametrize(
    ("singular", "expected"),
    [("chat", "chats"), ("souris", "souris"), ("heureux", "heureux"), ("gâteau", "gâteaux"), ("cheval", "chevaux")],
)
def test_french_plurals(singular: str, expected: str) -> None:
    assert pluralised(singular) == expected


@pytest.mark.parametrize(
    ("subject", "verb", "tense", "adverb", "clitic", "english_expected", "expected"),
    [
        (JE, lexicon.SEE, Tense.PRESENT, Adverb.NONE, None, "see", "vois"),
        (ELLE, lexicon.SEE, Tense.PRESENT, Adverb.NOT, None, "does not see", "ne voit pas"),
        (NOUS, lexicon.EAT, Tense.PRESENT, Adverb.NEVER, None, "never eat", "ne mangeons jamais"),
        (ILS, lexicon.BUY, Tense.PRESENT, Adverb.OFTEN, None, "often buy", "achètent souvent"),
        (IL, lexicon.OPEN, Tense.PAST, Adverb.NOT, None, "did not open", "ne a pas ouvert"),
        (IL, lexicon.FIND, Tense.PAST, Adverb.OFTEN, None, "often found", "a souvent trouvé"),
        (JE, lexicon.HEAR, Tense.FUTURE, Adverb.NOT, None, "am not going to hear", "ne vais pas entendre"),
        (ELLE, lexicon.GO_TO, Tense.PAST, Adverb.NONE, None, "went to", "est allée"),
        (QUEENS, lexicon.GO_TO, Tense.PAST, Adverb.NEVER, None, "never went to", "ne sont jamais allées"),
        (NOUS, lexicon.GO_TO, Tense.PAST, Adverb.NONE, None, "went to", "sommes allés"),
        (IL, lexicon.SEE, Tense.PAST, Adverb.NOT, THEM, "did not see", "ne les a pas vus"),
        (QUEENS, lexicon.SEE, Tense.PAST, Adverb.NONE, HIM, "saw", "le ont vu"),
        (ELLE, lexicon.SEEK, Tense.FUTURE, Adverb.NOT, US, "is not going to look for", "ne va pas nous chercher"),
        (ILS, lexicon.AWAIT, Tense.PRESENT, Adverb.NOT, ME, "do not wait for", "ne me attendent pas"),
    ],
)
def test_verbs_take_their_forms(
    subject: Phrase,
    verb: lexicon.Verb,
    tense: Tense,
    adverb: Adverb,
    clitic: object,
    english_expected: str,
    expected: str,
) -> None:
    mood = Mood(tense, adverb, question=False)
    helper, rest = english_verb(verb, subject.form, mood)
    assert " ".join((*helper, *rest)) == english_expected
    assert " ".join(french_verb(verb, subject, mood, clitic)) == expected  # type: ignore[arg-type]


def test_to_be_and_questions() -> None:
    asked = Mood(Tense.PAST, Adverb.NONE, question=True)
    assert english_verb(lexicon.SEE, 1, asked) == (("did",), ("see",))
    assert english_verb(lexicon.SEE, 1, asked._replace(tense=Tense.FUTURE)) == (("is",), ("going", "to", "see"))
    assert english_be(2, asked) == (("were",), ())
    assert french_be(2, asked) == ("étions",)
    negated = Mood(Tense.FUTURE, Adverb.NOT, question=False)
    assert english_be(0, negated) == (("am",), ("not", "going", "to", "be"))
    assert french_be(0, negated) == ("ne", "vais", "pas", "être")


def test_a_noun_stands_in_one_list() -> None:
    english, french_ = ([getattr(noun, side) for noun in lexicon.ALL_NOUNS] for side in ("english", "french"))
    assert len(set(english)) == len(set(french_)) == len(lexicon.ALL_NOUNS)
    assert Noun("church", "église", feminine=True).english_plural == "churches"
