"""Captions as the tokens that caption scores are made of: Penn Treebank's, in lower case, without punctuation."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from lstmdrop.metrics.bleu_tokenizer import WITHOUT_BLANKS, CaptionCut, tokenizer_for
from lstmdrop.metrics.java import VERSION, JavaError, find_java, java_problem, java_tokens, try_java_tokens
from lstmdrop.metrics.word_error_rate import MARKS

# ruff: noqa: SIM905 - words without quotes are read more easily


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


Respelling = Callable[[str], str]
"""What is written for a piece of text, with blanks between tokens."""

_SYMBOLS = "#-&*+<->@\\\\^|~¡¥-©¬®-´¶-¹¿×÷‖‗‚„-•‰-‸※‾-⁂⁄⁰⁴-⁾₀-₎₤℀-⯿、。〒・！-／：-＠［-｀｛-･￠-￦"
"""Tokens by themselves, wherever they stand; what is neither these, letters, digits nor a mark below is dropped."""
_STANFORDS_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065e\u0670\u0900-\u0903\u093c-\u094d\u0e31-\u0e4e"
STANFORD_DROPS = re.compile(f"(?![{_STANFORDS_MARKS}])[{MARKS}]")
"""Marks at which Stanford's tokeniser cuts a word: of Tamil, Bengali or Khmer it would leave consonants alone."""
_LETTER = rf"(?:[^\W\d_{_SYMBOLS}¼-¾]|[{MARKS}])"
_ALNUM = rf"(?:{_LETTER}|\d)"
_END = rf"(?!{_ALNUM})"
_DOTTED = r"[A-Za-z](?:\.[A-Za-z])+\.?"
_PART = rf"(?:{_DOTTED}|(?:[dDlLoO]['’](?={_LETTER}{{2}}))?{_ALNUM}+)"
_HYPHEN = "[-\u2010\u2011]"
_IN_TWO = rf"(?i:cannot|gonna|gotta|lemme|gimme|wanna){_END}"


def _any(words: frozenset[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True)).replace(".", r"\.")


_START = rf"\s+(?:(?:{_any(SENTENCE_STARTS | frozenset(map(str.upper, SENTENCE_STARTS)))})(?:\s|$)|</?[A-Za-z][^<>]*>)"


def _itself(text: str) -> str:
    return text


def _nothing(text: str) -> str:
    return ""


def _plain_apostrophe(text: str) -> str:
    return text.replace("’", "'")


def _round(text: str) -> str:
    return text.replace("(", "-LRB-").replace(")", "-RRB-")


def _unbroken(text: str) -> str:
    """One token, though it holds a blank: ``3 1/2``."""
    return _round(re.sub(r"\s+", "\N{NO-BREAK SPACE}", text))


def _by(table: dict[str, str]) -> tuple[str, Respelling]:
    return "|".join(map(re.escape, table)), table.__getitem__


_FIRST: list[tuple[str, Respelling]] = [
    (r"\s+", _nothing),
    (r"[A-Za-z]*[A-MO-Za-mo-z](?=[nN]['’`][tT])", _itself),  # does n't
    (_IN_TWO, lambda text: f"{text[:3]} {text[3:]}"),
    (rf"['’](?i:s|m|d|re|ve|ll){_END}|’(?i:[smd]|re|ve|ll)|[nN]['’`][tT]{_END}", _plain_apostrophe),
]
"""These go before all others."""

_LONGEST: list[tuple[str, Respelling]] = [
    # words and what may stand inside them
    (rf"{_LETTER}{_ALNUM}*(?:[.!?]{_LETTER}{_ALNUM}*)*", _itself),
    (rf"(?:(?:[A-Za-z]|(?i:{_any(TITLES | BEFORE_NUMBERS)}))\.(?={_HYPHEN})|{_PART})(?:{_HYPHEN}{_PART})*", _itself),
    (rf"{_ALNUM}+(?:[_/]{_ALNUM}+)+", _itself),
    (
        rf"[dlnoA-HJ-Z]['’](?!(?i:ll|re|ve){_END}){_LETTER}{{2,}}|{_LETTER}+[aeiouyAEIOUY]['’][aeiouAEIOU]{_LETTER}+",
        _itself,
    ),
    (r"(?i:[ne]'er|d'ye|c'mon|ma'am|o['’]clock|s'mores|cont'd\.)", _itself),
    (r"[dljyDLJY]['’](?=\s*[A-Za-z])", _itself),
    (r"[A-Z]+(?:&(?:amp;)?[A-Z]+)+", lambda text: text.replace("&amp;", "&")),
    (r"[cC]\+\+|[cCfF]#", _itself),
    # words that begin with an apostrophe
    (r"'[tT](?=(?i:is|was))", _itself),
    (rf"(?i:['’](?:em|til|cause)){_END}|['’][nN]['’]|['’][nN](?!{_ALNUM}|-)", _itself),
    (rf"['’](?:[1-9]0[sS]|\d\d{_END}(?!['’]s{_END}))", _itself),
    # abbreviations, with their full stop
    (rf"{_DOTTED}|[pP][hH]\.[dD]\.|[A-Za-z]\.(?!{_START})", _itself),
    (rf"(?:(?i:{_any(TITLES | ENDINGS)})|{_any(CAPITALISED)})\.", _itself),
    (rf"(?i:{_any(BEFORE_NUMBERS)})\.(?=\s*\d)", _itself),
    # numbers
    (r"[-+]?(?:\d+|[.,:]\d+)(?:[.,:]\d+)*", _itself),
    (rf"\d+(?:[.,]\d+)+(?:-{_ALNUM}+)+", _itself),
    (rf"(?:\d{{1,4}}[- \u00a0])?\d{{1,4}}/\d{{1,4}}(?:-(?!\d){_PART})?", _unbroken),
    (r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}", _itself),
    (r"\(\d{3}\)[ \u00a0]?\d{3}[- ]\d{4}", _unbroken),
    # addresses and accounts
    (r"https?://[^\s<>\"()]+\.[^\s<>\"()]*[^\s<>\"().,!?;:']", _itself),
    (r"[A-Za-z0-9][\w.]*@[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*", _itself),
    (r"@[A-Za-z_][A-Za-z_0-9]*|#[A-Za-z]+", _itself),
    # faces and marks
    (r"[<>]?[:;=]['’]?[-o*']?[()DPdp\\\[\]@|](?![A-Za-z])", _round),
    (r"[-^x=~<>]_[-^x=~<>]|\([-^x=~<>][._][-^x=~<>]\)", _round),
    (r"<[/!?]?[A-Za-z][^<>]*>|<!--[^<>]*-->", _unbroken),
    (r"<<|>>|&#\d+;|[A-Z]+\$|[?!]+|\*+|_+|-{5,}", _itself),
    _by({"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}),
    _by({"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}),
    _by({"€": "$", "¤": "$", "₠": "$", "£": "#", "¢": "cents", "&lt;": "<", "&gt;": ">", "&amp;": "&"}),
    (rf"[{_SYMBOLS}/]", _itself),
    (r"&(?:quot|nbsp|[mn]dash);|-{1,4}|(?s:.)", _nothing),
]
"""At each place the one that takes most, the first of equals."""


@cache
def _compiled() -> list[list[tuple[re.Pattern[str], Respelling]]]:
    """`_FIRST` and `_LONGEST`, when the first caption comes."""
    return [[(re.compile(pattern), respelling) for pattern, respelling in rules] for rules in (_FIRST, _LONGEST)]


_PLAIN_WORD = re.compile(rf"(?!{_IN_TWO})[A-Za-z]+(?=\s|$)")


def python_tokens(line: str) -> str:
    """The tokens of one line in lower case with blanks between; most punctuation is left out, as scores need none."""
    tokens, place, line = [], 0, line.replace("\u00ad", "")
    while place < len(line):
        found, respelling = _next(line, place)
        tokens.append(respelling(found[0]))
        place = found.end()
    return " ".join(filter(None, tokens)).lower()


def _next(line: str, place: int) -> tuple[re.Match[str], Respelling]:
    if found := _PLAIN_WORD.match(line, place):  # nearly all there is
        return found, _itself
    first, longest = _compiled()
    for pattern, respelling in first:
        if found := pattern.match(line, place):
            return found, respelling
    matches = [(found, respelling) for pattern, respelling in longest if (found := pattern.match(line, place))]
    return max(matches, key=lambda match: match[0].end())


PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""What pycocoevalcap takes out; brackets come in lower case (``-lrb-``), and so they stay."""

log = logging.getLogger("lstmdrop.metrics")

_LINE_BREAKS = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class TokenizedCaptions:
    """Captions with one blank between tokens."""

    lines: list[str]
    tokenizer: str
    """What made them, for signatures: ``java-3.4.1``, ``python`` or ``characters``."""


_CHARACTER = re.compile(f"(?![{MARKS}])[{WITHOUT_BLANKS}][{MARKS}]*")
_PUNCTUATION = re.compile(r"(?<!\S)[^\w\s]+(?!\S)")


def cut_for(captions: Iterable[str]) -> CaptionCut:
    """``char`` if the first captions are written without blanks: in Chinese, Japanese, Thai and their like."""
    return "char" if tokenizer_for("", captions) in ("zh", "ja-mecab", "char") else "ptb"


def python_words(line: str, cut: CaptionCut) -> str:
    """One caption's words with a blank between them, punctuation left out, whatever is installed.

    With ``char``, the letters of languages without blanks are a word each, with the marks that follow them; what else
    there is stays whole.
    """
    if cut == "ptb":
        return python_tokenize(line)
    return without_marks(_CHARACTER.sub(r" \g<0> ", python_tokenize(line)))


def without_marks(words: str) -> str:
    """Words less those without a letter or digit, such as a full stop of Chinese, which the Penn Treebank has not."""
    return " ".join(_PUNCTUATION.sub(" ", words).split())


def tokenize_captions(captions: Sequence[str], cut: CaptionCut = "ptb") -> TokenizedCaptions:
    """Each caption's tokens as pycocoevalcap's PTBTokenizer makes them: in Java where one runs, else in Python.

    Both make the same tokens of every caption of Flickr8k. A line break inside a caption counts as a blank. Scripts
    whose vowel signs Stanford's tokeniser drops are left to the Python one, and so is a ``cut`` into characters.
    """
    if cut == "char":
        return TokenizedCaptions([python_words(caption, cut) for caption in captions], "characters")
    is_dropped = any(map(STANFORD_DROPS.search, captions))
    java = None if is_dropped else java_tokenizer()
    if java is not None:
        try:
            lines = java_tokens([_LINE_BREAKS.sub(" ", caption) for caption in captions])
            return TokenizedCaptions([without_punctuation(line) for line in lines], f"java-{VERSION}")
        except JavaError as error:
            log.warning("%s stopped (%s): these captions are tokenised in Python", java, error)
    return TokenizedCaptions([python_tokenize(caption) for caption in captions], "python")


def java_tokenizer() -> str | None:
    """The path of a ``java`` that has been seen to tokenise; one that cannot is named, once a process."""
    java = find_java()
    return None if java is None or not _tokenizes(java) else java


@cache
def _tokenizes(java: str) -> bool:
    problem = java_problem(java, try_java_tokens)
    if problem is not None:
        log.warning("%s does not run (%s): captions are tokenised in Python", java, problem)
    return problem is None


def python_tokenize(line: str) -> str:
    """One caption's tokens by the Python tokeniser, whatever is installed."""
    return without_punctuation(python_tokens(_LINE_BREAKS.sub(" ", line)))


def without_punctuation(line: str) -> str:
    """Tokens less those of `PUNCTUATION`."""
    return " ".join(token for token in line.rstrip().split(" ") if token not in PUNCTUATION)
