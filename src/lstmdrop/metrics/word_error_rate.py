"""Word and character error rate, by jiwer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import jiwer

from lstmdrop.errors import as_list
from lstmdrop.metrics.score import Score

NORMALISATION = "nfkc+lowercase+no_punctuation_but_apostrophes+single_spaces"
"""What `normalise_transcript` does, for signatures."""

_NOT_SPOKEN = re.compile(r"[^\w\s']|_")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def normalise_transcript(text: str) -> str:
    """Lower case without punctuation: what is left is what can be heard."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").lower()
    return " ".join(_LONE_APOSTROPHE.sub(" ", _NOT_SPOKEN.sub(" ", plain)).split())


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
    found = jiwer.process_words(reference, hypothesis)
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference.split()))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Of one line, the spaces between words included."""
    if not reference.strip():
        return Errors(0, len(hypothesis), 0, 0)
    found = jiwer.process_characters(reference, hypothesis)
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference))


def transcript_scores(references: Sequence[str], hypotheses: Sequence[str], extra: Mapping[str, str]) -> list[Score]:
    """WER and CER in percent over all lines together, after `normalise_transcript`; no line is left out.

    Raises:
        ValueError: there is no reference word, or not one hypothesis a reference.
    """
    if len(as_list("references", references)) != len(as_list("hypotheses", hypotheses)):
        raise ValueError(f"{len(hypotheses)} transcripts cannot be scored against {len(references)} references")
    pairs = [(normalise_transcript(r), normalise_transcript(h)) for r, h in zip(references, hypotheses, strict=True)]
    scores = []
    for name, unit, errors_of in (("wer", "words", word_errors), ("cer", "characters", character_errors)):
        errors = sum((errors_of(reference, hypothesis) for reference, hypothesis in pairs), NO_ERRORS)
        if errors.length == 0:
            raise ValueError("an error rate needs at least one word in the references")
        details = {
            unit: str(errors.length), "lines": str(len(pairs)), "norm": NORMALISATION, **extra,
            "jiwer": version("jiwer"), "version": version("lstmdrop"),
        }  # fmt: skip
        signature = "|".join(f"{key}:{value}" for key, value in details.items())
        scores.append(Score(name, 100 * errors.total / errors.length, higher_is_better=False, signature=signature))
    return scores
