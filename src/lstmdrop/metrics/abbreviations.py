"""Abbreviations that keep their full stop in Penn Treebank tokens, found by asking Stanford's tokeniser."""

# ruff: noqa: SIM905 - words without quotes are read more easily

from __future__ import annotations

TITLES = frozenset(
    """
    acad adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec
    ens ft gen gov govs hon insp invt jos lieut lt maj messrs mfg mlle mme mr mrs ms msgr mt mtg natl pfc ph
    pres prof pvt rep reps rev sen sens sfc sgt spc st ste supt supts treas vs wm
    """.split()
)
"""In any case; a hyphen may follow, as in ``St.-Denis``."""

ENDINGS = frozenset(
    """
    al ala apr ariz assn aug bhd bldg blvd bros calif co colo conn corp cos ct dak dec esq est etc ext feb fla
    fri ga inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn
    plc ppte ppty pte ptes pty ptys rd rt sep sept seq sq sr sys tel tenn thu thurs tue tues univ va vt wed
    wis wisc wyo
    """.split()
)
"""In any case, and never before a hyphen."""

CAPITALISED = frozenset(
    "Ark Az Del Ill La Mass Miss Ore Pa Tex Wash ARK AZ DEL ILL LA MASS MISS ORE PA TEX WASH".split()
)
"""Words in lower case, abbreviations else."""

BEFORE_NUMBERS = frozenset("art ca fig figs no nos op pp prop".split())
"""Abbreviations only where a number follows, in any case."""

SENTENCE_STARTS = frozenset(
    """
    A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr. Ms. Now
    Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You
    """.split()
)
"""Words before which a single letter's full stop ends a sentence; so do they in capitals."""
