"""Penn Treebank tokens in Python, where Java is not found: made to agree with Stanford's tokeniser."""

from __future__ import annotations

import re
from collections.abc import Callable

from lstmdrop.metrics.abbreviations import BEFORE_NUMBERS, CAPITALISED, ENDINGS, SENTENCE_STARTS, TITLES
from lstmdrop.metrics.word_error_rate import MARKS

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

_COMPILED_FIRST, _COMPILED_LONGEST = (
    [(re.compile(pattern), respelling) for pattern, respelling in rules] for rules in (_FIRST, _LONGEST)
)
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
    for pattern, respelling in _COMPILED_FIRST:
        if found := pattern.match(line, place):
            return found, respelling
    matches = [
        (found, respelling) for pattern, respelling in _COMPILED_LONGEST if (found := pattern.match(line, place))
    ]
    return max(matches, key=lambda match: match[0].end())
