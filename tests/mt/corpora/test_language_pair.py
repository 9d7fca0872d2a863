from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.errors import ConfigError
from lstmdrop_tasks.mt.corpora.language_pair import (
    UNNAMED,
    LanguagePair,
    both_ways,
    choose_pair,
    languages_of,
    pair_among,
    parse_pair,
    save_pair,
    saved_pair,
)


def test_a_pair_is_written_as_it_is_read() -> None:
    pair = parse_pair("en-pt_BR")
    assert pair == LanguagePair("en", "pt_BR")
    assert str(pair) == "en-pt_BR"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("en-pt-BR", ("en", "pt-BR")), ("pt-BR-en", ("pt-BR", "en")), ("zh-Hans-zh-Hant", ("zh-Hans", "zh-Hant")),
        ("es-419-en", ("es-419", "en")), ("en:zh-cn", ("en", "zh-cn")), ("src-tgt", ("src", "tgt")),
    ],
)  # fmt: skip
def test_codes_may_have_a_region_or_a_script(text: str, pair: tuple[str, str]) -> None:
    assert parse_pair(text) == pair
    assert str(parse_pair(text)) == text
    assert parse_pair(str(LanguagePair(*pair))) == pair


@pytest.mark.parametrize(
    "text", ["en-pt-br", ":fr", "en:en", "", "en", "en-", "-fr", "en-en", "en-fr-de", "en fr", "../en-fr"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no language pair; write two different codes") as caught:
        parse_pair(text)
    assert repr(text) in str(caught.value)


def test_a_pair_is_chosen_among_those_there_are() -> None:
    known = both_ways("en-fr", "en-de")
    assert [str(pair) for pair in known] == ["en-fr", "fr-en", "en-de", "de-en"]
    assert choose_pair("set", None, known) == LanguagePair("en", "fr")
    assert choose_pair("set", "de-en", known) == LanguagePair("de", "en")
    with pytest.raises(ConfigError, match="set has no pair 'fr-de'; it has: en-fr, fr-en, en-de, de-en"):
        choose_pair("set", "fr-de", known)


CODES = st.from_regex(r"[a-z]{2,3}([-_][A-Z][a-z]{3})?([-_][A-Z]{2})?", fullmatch=True)


@settings(deadline=None)
@given(CODES, CODES)
def test_whatever_its_codes_a_pair_is_read_as_it_is_written(source: str, target: str) -> None:
    if source != target:
        assert parse_pair(str(LanguagePair(source, target))) == (source, target)


def test_what_a_model_translates_is_noted_where_the_languages_have_names(tmp_path: Path) -> None:
    assert saved_pair(tmp_path) is None
    save_pair(tmp_path, LanguagePair("en", "pt-BR"))
    assert saved_pair(tmp_path) == "en-pt-BR"
    save_pair(tmp_path, UNNAMED)
    assert saved_pair(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "codes", "pair"),
    [
        ("pt-br-en", ["en", "pt-BR"], ("pt-BR", "en")),  # which hyphen parts them, the data tells
        ("en-zh-cn", ["zh_CN", "en"], ("en", "zh_CN")),
        ("zh-Hans-zh-Hant", ["zh-Hant", "zh-Hans"], ("zh-Hans", "zh-Hant")),
        ("PT_br:EN", ["en", "pt-BR"], ("pt-BR", "en")),
        ("en, de", ["de-DE", "en-US"], ("en-US", "de-DE")),
        ("en-US-de", ["de", "en"], ("en", "de")),
        ("pt-en", ["pt-BR", "pt-PT", "en"], None),
        ("pt-BR-en", ["pt-PT", "en"], None),
        ("en-en", ["en", "de"], None),
        ("a-b-c", ["a", "b-c", "a-b", "c"], None),
        ("a:b-c", ["a", "b-c", "a-b", "c"], ("a", "b-c")),
    ],
)
def test_the_codes_that_there_are_say_which_are_meant(
    text: str, codes: list[str], pair: tuple[str, str] | None
) -> None:
    assert pair_among(text, codes) == pair


def test_a_run_keeps_the_codes_of_its_data(tmp_path: Path) -> None:
    assert languages_of(None, tmp_path) is None
    save_pair(tmp_path, LanguagePair("en", "pt-br"))
    for said in ("en-pt-br", "en:pt_BR", None):
        assert languages_of(said, tmp_path) == ("en", "pt-br")
    assert languages_of("pt-br-en", tmp_path) == ("pt-br", "en")
    assert languages_of("de-fr", tmp_path) == ("de", "fr")
