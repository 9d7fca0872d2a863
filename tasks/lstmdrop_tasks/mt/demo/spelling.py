"""Words in a row written as sentences: English *an*, French elision and contraction, capitals, final marks."""

from __future__ import annotations

from collections.abc import Sequence

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
