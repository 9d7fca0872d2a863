"""Which of sacreBLEU's tokenisers cuts a language into the words that BLEU counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Literal, get_args

TokenizerName = Literal[
    "13a", "intl", "none", "char", "zh", "ja-mecab", "ko-mecab", "flores101", "flores200", "spm"
]  # fmt: skip
"""sacreBLEU's names; its ``spm`` is ``flores101``."""
TOKENIZERS: tuple[TokenizerName, ...] = get_args(TokenizerName)
DEFAULT: TokenizerName = "13a"

CaptionCut = Literal["ptb", "char"]
"""What captions are cut into: words or, of languages that put no blanks between these, characters."""

_BY_LANGUAGE: dict[str, TokenizerName] = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur"), "char"),
    **dict.fromkeys(("bo", "bod", "tib", "dz", "dzo"), "char"),
}  # fmt: skip
"""sacreBLEU's own choices, and characters for languages that are written without blanks and have no tokeniser."""

_HAN = "\u2e80-\u2fdf\u3007\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7ff"
# Thai and Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Yi, Javanese, Tai Viet
_OTHERS = (
    "\u0e01-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua000-\ua4cf"
    "\ua980-\ua9ff\uaa60-\uaadf"
)
_SCRIPTS: dict[TokenizerName, re.Pattern[str]] = {
    "zh": re.compile(f"[{_HAN}]"), "ja-mecab": re.compile(f"[{_KANA}]"), "ko-mecab": re.compile(f"[{_HANGUL}]"),
    "char": re.compile(f"[{_OTHERS}]"),
}  # fmt: skip
WITHOUT_BLANKS = f"{_HAN}{_KANA}{_OTHERS}"
"""For a class of a regular expression: the letters of languages that put no blanks between words."""
_SAMPLE_LINES = 1000
_SHARE = 0.2
"""Of the letters, from which a script is that of the text: a sign of these stands for several Latin letters."""


def tokenizer_for(language: str, lines: Iterable[str]) -> TokenizerName:
    """The tokeniser of a target language; of one that has none of its own, by the script of its first lines.

    ``language`` is a code in any usual form: ``zh``, ``zh_CN``, ``zho_Hans``; ``zh-Latn`` goes by its text.
    """
    primary, *subtags = re.split(r"[-_]", language.lower())
    if "latn" not in subtags and primary in _BY_LANGUAGE:
        return _BY_LANGUAGE[primary]
    text = "".join(islice(filter(str.strip, lines), _SAMPLE_LINES))
    counts: dict[TokenizerName, int] = {name: len(script.findall(text)) for name, script in _SCRIPTS.items()}
    if counts["ja-mecab"] > _SHARE * counts["zh"]:  # kana among Chinese characters: Japanese
        counts["ja-mecab"] += counts.pop("zh")
    likeliest = max(counts, key=counts.__getitem__)
    num_letters = sum(map(str.isalpha, text))
    return likeliest if counts[likeliest] > _SHARE * num_letters else DEFAULT


def tokenizer_in(signature: str) -> TokenizerName:
    """The tokeniser that a sacreBLEU signature names (``tok:ja-mecab-0.996-IPA``); `DEFAULT` where it names none."""
    parts = {key: value for key, _, value in (part.partition(":") for part in signature.split("|"))}
    named = parts.get("tok", DEFAULT)
    for name in TOKENIZERS:
        if named == name or named.startswith(f"{name}-"):
            return name
    return DEFAULT
