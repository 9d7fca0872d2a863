from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop_tasks.mt.corpora.splitting import deal, hold_out, sentence_key, split_by_draw

SENTENCE = st.text(alphabet="abAB .!,", min_size=1, max_size=4)


@pytest.mark.parametrize(
    "same",
    [
        ["Go on.", "go on!", " GO  ON ", "Go, on…"],
        ["Ça va ?", "ça va\u202f!"],
        ["It's ﬁne", "it’s fine."],
        ["L'été", "l’e\u0301te\u0301"],
    ],
)
def test_sentences_that_differ_in_case_and_marks_alone_share_their_key(same: list[str]) -> None:
    assert len({sentence_key(sentence) for sentence in same}) == 1


@pytest.mark.parametrize("different", [["Go on.", "Go one."], ["?", "!"], ["on", "ôn"], ["a b", "ab"]])
def test_other_sentences_have_another_key(different: list[str]) -> None:
    assert len({sentence_key(sentence) for sentence in different}) == len(different)


def test_a_draw_depends_on_the_sentence_and_deals_out_ninety_five_five() -> None:
    sentences = [f"sentence {number}" for number in range(4000)]
    draws = Counter(map(split_by_draw, sentences))
    assert 3500 < draws["train"] < 3700
    assert 150 < draws["valid"] < 250
    assert 150 < draws["test"] < 250
    assert [split_by_draw(f"Sentence, {number}!") for number in range(50)] == [
        split_by_draw(sentence) for sentence in sentences[:50]
    ]
    # Fixed for all time: what was tested on must never be trained on.
    assert [split_by_draw(f"sentence {number}") for number in (0, 12, 13)] == ["train", "valid", "test"]


def test_sentences_held_out_are_as_many_as_asked_for() -> None:
    keys = [str(number) for number in range(1000)]
    valid, test = hold_out([*keys, *keys], 20)
    assert len(valid) == len(test) == 20
    assert not valid & test
    assert hold_out(reversed(keys), 20) == (valid, test)
    assert [len(held) for held in hold_out(keys[:100], 20)] == [5, 5]
    assert [len(held) for held in hold_out(keys[:3], 20)] == [1, 1]


def test_a_table_is_dealt_out_by_its_sources() -> None:
    pairs = [(f"Word {number}.", translation) for number in range(60) for translation in (f"a {number}", f"b {number}")]
    pairs += [("word 7!", "c 7"), ("another word", "a 7")]
    dealt = deal(pairs, num_held_out=100)
    sources = {split: {sentence_key(source) for source, _ in dealt[split].pairs} for split in dealt}
    assert {split: len(found) for split, found in sources.items()} == {"train": 55, "test": 3, "valid": 3}
    assert dealt["test"].left_out["further_translation"] >= 3
    assert all(target.startswith("a ") for _, target in dealt["test"].pairs)


@given(st.lists(st.tuples(SENTENCE, SENTENCE), min_size=3, max_size=40), st.integers(1, 5))
def test_no_split_shares_a_sentence_of_either_side(pairs: list[tuple[str, str]], num_held_out: int) -> None:
    dealt = deal(pairs, num_held_out)
    keys = {split: [tuple(map(sentence_key, pair)) for pair in dealt[split].pairs] for split in dealt}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        for side in (0, 1):
            assert not {pair[side] for pair in keys[one]} & {pair[side] for pair in keys[other]}
    for split in ("valid", "test"):
        assert len({source for source, _ in keys[split]}) == len(keys[split])
    assert sum(len(part.pairs) + part.left_out.total() for part in dealt.values()) == len(pairs)


def test_sentences_that_differ_in_their_vowel_signs_are_different() -> None:
    assert sentence_key("नमस्ते दुनिया!") == "नमस्ते दुनिया"
    assert sentence_key("कि") != sentence_key("को")
    assert sentence_key("Don't stop.") == sentence_key("don't STOP")
