"""Word and character error rate, by jiwer, and frame accuracy."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Literal

from lstmdrop.errors import as_list
from lstmdrop.metrics.score import Score

Normalisation = Literal["spoken", "none"]

SIGNATURES: Mapping[Normalisation, str] = {
    "spoken": "nfkc+lowercase+letters_marks_digits_apostrophes+single_spaces",
    "none": "none+single_spaces",
}
"""What `normalise_transcript` does, for signatures."""

_APOSTROPHES = {**dict.fromkeys(map(ord, "’‘‛ʼʻ′´`＇՚׳"), "'"), ord("״"): None}
"""All kinds are one; the Hebrew mark of an acronym is inside a word, and silent."""
_MARK_IN_A_WORD = "·"
"""Catalan's *col·lecció*: spelling between two letters."""
UNSEEN = frozenset(
    map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0, *range(0xFE00, 0xFE10),
              *range(0xE0100, 0xE01F0)])
)  # fmt: skip
"""What shows nothing though its category is that of letters or marks: fillers and variation selectors."""


def _ranges(characters: Iterable[str]) -> str:
    """A range for each run of neighbours: a pattern of two thousand single ones takes long to compile."""
    codes = sorted(map(ord, characters))
    starts = [code for before, code in pairwise([-1, *codes]) if code > before + 1]
    ends = [code for code, after in pairwise([*codes, sys.maxunicode + 2]) if after > code + 1]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


MARKS = _ranges(
    char
    for char in map(chr, range(0x300, 0x1F000))
    if unicodedata.category(char) in ("Mn", "Mc") and char not in UNSEEN
)
"""Vowel signs, tones and accents of every script, for a pattern's ``[]``: ``\\w`` cuts words at them."""
_NOT_SPOKEN = re.compile(r"[^\w\s']|_")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands in a hypothesis for what the vocabulary lacks: one symbol, in a word or as one."""
_VIRAMA = 9
"""The combining class of the signs that silence a vowel, after which a joiner is spelling."""


def normalise_transcript(text: str, normalisation: Normalisation = "spoken") -> str:
    """Lower case without punctuation: what is left is what can be heard, in any script.

    Letters keep their marks (vowel signs, tones), apostrophes of every kind are one and stay inside words, and what
    shows nothing goes, but for joiners where they are spelling (RFC 5892, appendix A). With ``none`` only white
    space is made single.
    """
    if normalisation == "none":
        return " ".join(text.split())
    if text.isascii():  # the same, ten times as fast
        return " ".join(_LONE_APOSTROPHE.sub(" ", _NOT_SPOKEN.sub(" ", text.replace("`", "'").lower())).split())
    plain = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).replace("İ", "i").lower()
    seen = "".join(char for place, char in enumerate(plain) if _is_seen(plain, place))
    return " ".join("".join(char if _is_spoken(seen, place) else " " for place, char in enumerate(seen)).split())


def _is_seen(text: str, place: int) -> bool:
    """Whether a character shows, or changes how its neighbours are read."""
    char = text[place]
    if char.isascii():
        return True
    if char in (_JOINER, _NON_JOINER):
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if before and unicodedata.combining(before) == _VIRAMA:
            return True
        return char == _NON_JOINER and _is_cursive(before) and _is_cursive(after)
    return char not in UNSEEN and unicodedata.category(char) not in ("Cf", "Me")


def _is_cursive(char: str) -> bool:
    """Whether a letter or mark is of a script whose letters join, so that not joining them is spelling."""
    return bool(char) and unicodedata.name(char, "").startswith(("ARABIC", "SYRIAC", "MONGOLIAN", "NKO", "MANDAIC"))


def _is_spoken(text: str, place: int) -> bool:
    char = text[place]
    if char == "'" or char == _MARK_IN_A_WORD:
        return 0 < place < len(text) - 1 and _is_of_a_word(text[place - 1]) and _is_of_a_word(text[place + 1])
    return _is_of_a_word(char)


def _is_of_a_word(char: str) -> bool:
    return (
        char.isalnum()
        or char == UNKNOWN
        or unicodedata.category(char) in ("Mn", "Mc")
        or char in (_JOINER, _NON_JOINER)
    )


@dataclass(frozen=True, slots=True)
class Errors:
    """How a hypothesis, or many together, differ from the references."""

    substitutions: int
    insertions: int
    deletions: int
    length: int
    """Units (words or characters) of the references."""

    @property
    def total(self) -> int:
        """All three kinds together."""
        return self.substitutions + self.insertions + self.deletions

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.length + other.length,
        )


NO_ERRORS = Errors(0, 0, 0, 0)


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Of one line; all words of a hypothesis are insertions where the reference has none."""
    if not reference.strip():
        return Errors(0, len(hypothesis.split()), 0, 0)
    import jiwer  # the settings of recognition are read without

    found = jiwer.process_words(reference, hypothesis)
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference.split()))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Of one line, the spaces between words included."""
    if not reference.strip():
        return Errors(0, len(hypothesis), 0, 0)
    import jiwer

    found = jiwer.process_characters(reference, hypothesis)
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference))


def transcript_scores(
    references: Sequence[str],
    hypotheses: Sequence[str],
    extra: Mapping[str, str],
    normalisation: Normalisation = "spoken",
) -> list[Score]:
    """WER and CER in percent over all lines together, after `normalise_transcript`; no line is left out.

    A character is a Unicode code point of the normalised text (NFKC), so a letter and its vowel sign are two.

    Raises:
        ValueError: there is no reference word, or not one hypothesis a reference.
    """
    if len(as_list("references", references)) != len(as_list("hypotheses", hypotheses)):
        raise ValueError(f"{len(hypotheses)} transcripts cannot be scored against {len(references)} references")
    pairs = [
        (normalise_transcript(reference, normalisation), normalise_transcript(hypothesis, normalisation))
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    scores = []
    for name, unit, errors_of in (("wer", "words", word_errors), ("cer", "characters", character_errors)):
        errors = sum((errors_of(reference, hypothesis) for reference, hypothesis in pairs), NO_ERRORS)
        if errors.length == 0:
            raise ValueError("an error rate needs at least one word in the references")
        details = {
            unit: str(errors.length), "lines": str(len(pairs)), "norm": SIGNATURES[normalisation], **extra,
            "jiwer": version("jiwer"), "version": version("lstmdrop"),
        }  # fmt: skip
        signature = "|".join(f"{key}:{value}" for key, value in details.items())
        scores.append(Score(name, 100 * errors.total / errors.length, higher_is_better=False, signature=signature))
    return scores


def frame_accuracy_score(num_correct: int, num_frames: int, extra: Mapping[str, str]) -> Score:
    """In percent; ``extra`` is added to the signature, say the number of classes.

    Raises:
        ValueError: there is no frame, or more are right than there are.
    """
    if not 0 <= num_correct <= num_frames or num_frames == 0:
        raise ValueError(f"{num_correct} of {num_frames} frames cannot be right")
    details = {"frames": str(num_frames), **extra, "version": version("lstmdrop")}
    signature = "|".join(f"{key}:{value}" for key, value in details.items())
    return Score("frame_accuracy", 100 * num_correct / num_frames, higher_is_better=True, signature=signature)
