"""How the sounds of English digits are made: formants for voiced sounds, a band of noise for hissing ones."""

from __future__ import annotations

from typing import NamedTuple


class Phone(NamedTuple):
    """A sound as a formant synthesiser sees it (Klatt 1980; vowel formants after Peterson & Barney 1952)."""

    formants: tuple[float, float, float]
    """In Hz, of an average man; voiced sounds only move through them."""
    voice: float
    """How loud the vocal folds are, 0 to 1."""
    noise: float
    """How loud the hiss is, 0 to 1."""
    noise_centre: float
    """In Hz."""
    seconds: float


def _vowel(first: float, second: float, third: float, seconds: float = 0.11) -> Phone:
    return Phone((first, second, third), 1.0, 0.0, 3000.0, seconds)


PHONES = {
    "IY": _vowel(270, 2290, 3010),
    "IH": _vowel(390, 1990, 2550, 0.08),
    "EH": _vowel(530, 1840, 2480),
    "AH": _vowel(640, 1190, 2390, 0.08),
    "AO": _vowel(570, 840, 2410),
    "UW": _vowel(300, 870, 2240),
    "AA": _vowel(730, 1090, 2440),
    "ER": _vowel(490, 1350, 1690),
    "OW": _vowel(450, 900, 2300, 0.14),
    "W": Phone((290, 610, 2150), 0.6, 0.0, 3000.0, 0.06),
    "R": Phone((310, 1060, 1380), 0.6, 0.0, 3000.0, 0.07),
    "N": Phone((250, 1450, 2300), 0.4, 0.0, 3000.0, 0.07),
    "V": Phone((250, 1100, 2300), 0.3, 0.15, 4000.0, 0.06),
    "Z": Phone((250, 1400, 2500), 0.25, 0.4, 5500.0, 0.08),
    "F": Phone((400, 1100, 2300), 0.0, 0.25, 3500.0, 0.09),
    "S": Phone((400, 1400, 2500), 0.0, 0.6, 5800.0, 0.1),
    "TH": Phone((400, 1300, 2500), 0.0, 0.2, 6800.0, 0.08),
    "T": Phone((400, 1700, 2600), 0.0, 0.5, 4500.0, 0.035),
    "K": Phone((400, 1800, 2400), 0.0, 0.5, 2200.0, 0.045),
    "sil": Phone((500, 1500, 2500), 0.0, 0.0, 3000.0, 0.08),
}

PRONUNCIATIONS = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AA IH V",
    "six": "S IH K S",
    "seven": "S EH V AH N",
    "eight": "EH IH T",
    "nine": "N AA IH N",
}
"""Diphthongs are two vowels."""
