"""The words of the demo: English, and the French forms that agreement asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

VOWELS = frozenset("aeiouyâàéèêëîïôùûœ")
ASPIRATED = frozenset({"héros"})
"""French words with an h that is not elided before; before all others it is."""

ELIDING = frozenset({"je", "me", "ne", "le", "la", "de", "que"})
CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


def english_sentence(words: Sequence[str], *, question: bool) -> str:
    """``a`` becomes ``an`` before a vowel; a capital first, a mark last."""
    following = [*words[1:], ""]
    spelt = [
        "an" if word == "a" and after[:1] in set("aeiou") else word
        for word, after in zip(words, following, strict=True)
    ]
    return _capitalised(" ".join(spelt)) + ("?" if question else ".")


def french_sentence(words: Sequence[str], *, question: bool) -> str:
    """``le`` becomes ``l'`` before a vowel, ``de le`` else ``du``; a question mark stands apart, as French has it."""
    return _capitalised(_elided(_contracted(words))) + (" ?" if question else ".")


def begins_with_vowel(word: str) -> bool:
    """Whether French words are elided before this one."""
    return word[0] in VOWELS or (word[0] == "h" and word not in ASPIRATED)


def _contracted(words: Sequence[str]) -> list[str]:
    written: list[str] = []
    for word, after in zip(words, [*words[1:], "."], strict=True):
        contracted = CONTRACTED.get((written[-1], word)) if written else None
        if contracted is not None and not (word == "le" and begins_with_vowel(after)):
            written[-1] = contracted
        else:
            written.append(word)
    return written


def _elided(words: Sequence[str]) -> str:
    text = ""
    for word, after in zip(words, [*words[1:], "."], strict=True):
        text += f"{word[:-1]}'" if word in ELIDING and begins_with_vowel(after) else f"{word} "
    return text.rstrip()


def _capitalised(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun; English plurals end in s unless given."""

    english: str
    french: str
    feminine: bool = False
    irregular: str = ""

    @property
    def english_plural(self) -> str:
        """As in two of them."""
        return self.irregular or f"{self.english}{'es' if self.english.endswith(('ch', 's', 'x')) else 's'}"

    @property
    def french_plural(self) -> str:
        """With -s, or as the ending asks."""
        return pluralised(self.french)


@dataclass(frozen=True, slots=True)
class Adjective:
    """An adjective by its French singular forms."""

    english: str
    masculine: str
    feminine: str
    before_noun: bool = False
    before_vowel: str = ""
    """The masculine before a noun that begins with a vowel, where it differs: ``bel``, ``vieil``, ``nouvel``."""

    def agreeing(self, *, feminine: bool, plural: bool) -> str:
        """The form for a gender and a number."""
        form = self.feminine if feminine else self.masculine
        return pluralised(form) if plural else form


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: English with its particle, French with its preposition."""

    base: str
    third: str
    past: str
    french: tuple[str, str, str, str]
    """The present with *je*, *il*, *nous* and *ils*."""
    participle: str
    infinitive: str
    preposition: str = ""
    with_etre: bool = False
    """Whether the perfect takes *être*, so that the participle agrees with the subject."""


def pluralised(form: str) -> str:
    """The French plural of a noun or a masculine or feminine adjective."""
    if form.endswith(("s", "x")):
        return form
    if form.endswith("al"):
        return form[:-2] + "aux"
    return form + ("x" if form.endswith("eau") else "s")


PERSONS = (
    Noun("man", "homme", irregular="men"),
    Noun("woman", "femme", feminine=True, irregular="women"),
    Noun("girl", "fille", feminine=True),
    Noun("child", "enfant", irregular="children"),
    Noun("friend", "ami"),
    Noun("actress", "actrice", feminine=True),
    Noun("hero", "héros", irregular="heroes"),
    Noun("king", "roi"),
    Noun("queen", "reine", feminine=True),
    Noun("neighbour", "voisin"),
)
ANIMALS = (
    Noun("cat", "chat"),
    Noun("dog", "chien"),
    Noun("horse", "cheval"),
    Noun("bird", "oiseau"),
    Noun("mouse", "souris", feminine=True, irregular="mice"),
    Noun("cow", "vache", feminine=True),
)
LETTERS = (Noun("book", "livre"), Noun("letter", "lettre", feminine=True), Noun("newspaper", "journal"))
FOOD = (Noun("apple", "pomme", feminine=True), Noun("cake", "gâteau"))
THINGS = (
    Noun("car", "voiture", feminine=True),
    Noun("key", "clé", feminine=True),
    Noun("flower", "fleur", feminine=True),
    Noun("tree", "arbre"),
)
OPENINGS = (Noun("door", "porte", feminine=True), Noun("window", "fenêtre", feminine=True))
PLACES = (
    Noun("house", "maison", feminine=True),
    Noun("garden", "jardin"),
    Noun("school", "école", feminine=True),
    Noun("hotel", "hôtel"),
    Noun("castle", "château"),
)

SMALL = Adjective("small", "petit", "petite", before_noun=True)
BIG = Adjective("big", "grand", "grande", before_noun=True)
OLD = Adjective("old", "vieux", "vieille", before_noun=True, before_vowel="vieil")
YOUNG = Adjective("young", "jeune", "jeune", before_noun=True)
NEW = Adjective("new", "nouveau", "nouvelle", before_noun=True, before_vowel="nouvel")
BEAUTIFUL = Adjective("beautiful", "beau", "belle", before_noun=True, before_vowel="bel")
RED = Adjective("red", "rouge", "rouge")
WHITE = Adjective("white", "blanc", "blanche")
BLACK = Adjective("black", "noir", "noire")
FAMOUS = Adjective("famous", "célèbre", "célèbre")
HAPPY = Adjective("happy", "heureux", "heureuse")
TIRED = Adjective("tired", "fatigué", "fatiguée")

OF_PERSONS = (SMALL, OLD, YOUNG, BEAUTIFUL, FAMOUS, HAPPY, TIRED)
OF_ANIMALS = (SMALL, BIG, OLD, YOUNG, BEAUTIFUL, WHITE, BLACK, TIRED)
OF_THINGS = (SMALL, BIG, OLD, NEW, BEAUTIFUL, RED, WHITE, BLACK)

Nouns = tuple[Noun, ...]
ALL_NOUNS: Nouns = PERSONS + ANIMALS + LETTERS + FOOD + THINGS + OPENINGS + PLACES

SEE = Verb("see", "sees", "saw", ("vois", "voit", "voyons", "voient"), "vu", "voir")
LOVE = Verb("love", "loves", "loved", ("aime", "aime", "aimons", "aiment"), "aimé", "aimer")
HEAR = Verb("hear", "hears", "heard", ("entends", "entend", "entendons", "entendent"), "entendu", "entendre")
FIND = Verb("find", "finds", "found", ("trouve", "trouve", "trouvons", "trouvent"), "trouvé", "trouver")
SEEK = Verb(
    "look for", "looks for", "looked for", ("cherche", "cherche", "cherchons", "cherchent"), "cherché", "chercher"
)
AWAIT = Verb(
    "wait for", "waits for", "waited for", ("attends", "attend", "attendons", "attendent"), "attendu", "attendre"
)
BUY = Verb("buy", "buys", "bought", ("achète", "achète", "achetons", "achètent"), "acheté", "acheter")
EAT = Verb("eat", "eats", "ate", ("mange", "mange", "mangeons", "mangent"), "mangé", "manger")
# No "read": "they read" would be present and past, so one sentence would have two translations.
OPEN = Verb("open", "opens", "opened", ("ouvre", "ouvre", "ouvrons", "ouvrent"), "ouvert", "ouvrir")
TALK_ABOUT = Verb(
    "talk about", "talks about", "talked about", ("parle", "parle", "parlons", "parlent"), "parlé", "parler", "de"
)
TALK_TO = Verb("talk to", "talks to", "talked to", ("parle", "parle", "parlons", "parlent"), "parlé", "parler", "à")
GO_TO = Verb("go to", "goes to", "went to", ("vais", "va", "allons", "vont"), "allé", "aller", "à", with_etre=True)

OBJECTS: dict[Verb, Nouns] = {
    SEE: ALL_NOUNS,
    LOVE: PERSONS + ANIMALS + PLACES,
    HEAR: PERSONS + ANIMALS,
    FIND: ALL_NOUNS,
    SEEK: ALL_NOUNS,
    AWAIT: PERSONS,
    BUY: ANIMALS + LETTERS + FOOD + THINGS + PLACES,
    EAT: FOOD,
    OPEN: LETTERS + OPENINGS,
    TALK_ABOUT: ALL_NOUNS,
    TALK_TO: PERSONS + ANIMALS,
    GO_TO: PLACES,
}
"""What each verb is said of."""

OF_LIVING = (SEE, HEAR, FIND, SEEK, AWAIT, EAT, GO_TO)
"""What an animal may do as well."""

AVOIR = ("ai", "a", "avons", "ont")
ETRE = ("suis", "est", "sommes", "sont")
ETAIT = ("étais", "était", "étions", "étaient")
ALLER = GO_TO.french
