from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from lstmdrop.data.text import read_lines
from lstmdrop_tasks.mt.corpora.demo.sentences import demo_sentences
from lstmdrop_tasks.mt.corpora.find import find_corpus

Splits = dict[str, list[tuple[str, str]]]
TOKEN = re.compile(r"\w+'|[\w-]+|[^\w\s]")


@pytest.fixture(scope="module")
def demo() -> Splits:
    return demo_sentences()


def tokens(demo: Splits, split: str, side: int) -> Counter[str]:
    return Counter(token for pair in demo[split] for token in TOKEN.findall(pair[side].lower()))


def test_the_splits_have_their_sizes(demo: Splits) -> None:
    assert {split: len(pairs) for split, pairs in demo.items()} == {"train": 6000, "valid": 300, "test": 300}


@pytest.mark.parametrize("side", [0, 1])
def test_no_sentence_of_either_language_comes_twice(demo: Splits, side: int) -> None:
    sentences = [pair[side] for pairs in demo.values() for pair in pairs]
    assert len(set(sentences)) == len(sentences)


def test_sentences_are_short_and_have_a_capital_and_a_mark(demo: Splits) -> None:
    for english, french in [pair for pairs in demo.values() for pair in pairs]:
        assert 4 <= len(english.split()) <= 10, english
        assert len(french.split()) <= 13, french
        assert english[0].isupper(), english
        assert french[0].isupper(), french
        assert re.fullmatch(r"[A-Za-z ]+[.?]", english), english
        assert re.fullmatch(r"[\w' -]+(\.| \?)", french), french
        assert english.endswith("?") == french.endswith(" ?") == french.startswith("Est-ce qu"), french


@pytest.mark.parametrize(
    "wrong",
    [
        r"\b(je|me|ne|le|la|de|que) ([aeiouyâàéèêëîïôùûœ]|h(?!éros))",  # elided
        r"\b(de|à) les?\b",  # contracted
        r"\b(ma|sa) ([aeiouéèêô]|h(?!éros))",  # "mon actrice"
        r"\b(ce|beau|vieux|nouveau) ([aeiouéèêô]|h(?!éros))(?!\w*[sx]\b)",  # "cet", "bel", "vieil", "nouvel"
        r"\b[lnd]'héros",
        r"\bdes (petits|petites|grands|grandes|vieux|vieilles|jeunes|nouveaux|nouvelles|beaux|belles)\b(?! \?|\.)",
        r"\b(\w+) \1\b(?<!nous nous)",
        r"als\b|eaus\b",
    ],
)
def test_french_that_would_be_wrong_is_not_there(demo: Splits, wrong: str) -> None:
    found = [french for pairs in demo.values() for _, french in pairs if re.search(wrong, french.lower())]
    if wrong.startswith(r"\bdes"):  # "près des petits ..." is "de les", and right
        found = [french for french in found if not re.search(r"(près|parl\w*)( \w+)? des", french.lower())]
    assert not found, found[:5]


def test_a_negation_has_both_its_parts(demo: Splits) -> None:
    for english, french in [pair for pairs in demo.values() for pair in pairs]:
        words = set(TOKEN.findall(french.lower()))
        negated = bool({"not", "never", "no"} & set(english.rstrip(".").split()))
        assert negated == bool({"ne", "n'"} & words) == bool({"pas", "jamais"} & words), french


def test_words_are_few_and_held_out_ones_known(demo: Splits) -> None:
    for side in (0, 1):
        known = tokens(demo, "train", side)
        assert 150 <= len(known) <= 250
        assert min(known.values()) >= 3
        for split in ("valid", "test"):
            assert not set(tokens(demo, split, side)) - set(known)


@pytest.mark.parametrize(
    "pair",
    [
        "There are no neighbours near the house. | Il n'y a pas de voisins près de la maison.",
        "He saw three trees yesterday. | Il a vu trois arbres hier.",
    ],
)
def test_of_some_pairs_the_translation_is_known(demo: Splits, pair: str) -> None:
    translations = dict(pair for pairs in demo.values() for pair in pairs)
    english, french = pair.split(" | ")
    assert translations.get(english) == french


@pytest.mark.slow
def test_another_process_draws_the_same(demo: Splits) -> None:
    script = "from lstmdrop_tasks.mt.corpora.demo.sentences import demo_sentences\nprint(ascii(demo_sentences()))"
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert there.strip() == ascii(demo)


def test_the_demo_is_found_by_name_in_both_directions(demo: Splits) -> None:
    corpus = find_corpus("demo", None)
    assert (corpus.source_language, corpus.target_language) == ("en", "fr")
    assert list(read_lines(corpus.test.source)) == [english for english, _ in demo["test"]]
    back = find_corpus("demo", "fr-en")
    assert list(read_lines(back.valid.source)) == [french for _, french in demo["valid"]]
    assert list(read_lines(back.train.target)) == [english for english, _ in demo["train"]]
    assert corpus.report["train"] == {"read": 6000, "kept": 6000, "empty": 0, "too_long": 0}
