"""Laws of scoring captions in languages that put no blanks between words."""

from __future__ import annotations

import pytest

from lstmdrop.metrics.captions import caption_scores, caption_segments, tokenize_pairs
from lstmdrop.metrics.ptb_tokenizer import cut_for, python_tokenize, python_words

REFERENCES = [["一只狗在草地上跑。", "草地上有一只狗。"], ["两只猫睡在沙发上。"], ["一个男孩在踢足球。"]]
CAPTIONS = ["一只狗在沙滩上跑", "两只猫在沙发上", "一个男孩踢足球"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("一只狗在草地上跑。", "一 只 狗 在 草 地 上 跑"),
        ("一只 iPhone 15, 狗!", "一 只 iphone 15 狗"),
        ("犬がボールで遊ぶ", "犬 が ボ ー ル で 遊 ぶ"),
        ("ที่นี่", "ที่ นี่"),  # a letter keeps its vowel and its tone
        ("A dog's ball.", "a dog 's ball"),
    ],
)
def test_letters_of_such_languages_are_words(line: str, words: str) -> None:
    assert python_words(line, "char") == words
    assert python_words(line, "ptb") == python_tokenize(line)


def test_the_script_says_what_is_cut() -> None:
    for lines in (["一只狗"], ["犬が走る"], ["สุนัขวิ่งบนหญ้า"], ["ឆ្កែកំពុងរត់"], ["一只狗", "a dog"]):
        assert cut_for(lines) == "char"
    for lines in (
        ["a dog"],
        ["ein Hund läuft"],
        ["강아지가 달린다"],
        ["कुत्ता दौड़ता है"],
        [],
        ["the sign says 出口 in an airport"],
    ):
        assert cut_for(lines) == "ptb"


def test_scores_count_characters_and_say_so() -> None:
    scores = {score.name: score for score in caption_scores(CAPTIONS, REFERENCES, {})}
    assert all("|" in score.signature and "tokenizer:characters|" in score.signature for score in scores.values())
    assert 40 < scores["bleu4"].value < 60
    assert scores["cider"].value > 1
    whole = {score.name: score for score in caption_scores(CAPTIONS, REFERENCES, {}, cut="ptb")}
    assert "characters" not in whole["bleu4"].signature
    assert whole["bleu4"].value < 1  # a caption is one word that no reference has
    for name, segments in caption_segments().items():
        assert segments(CAPTIONS, REFERENCES).value == pytest.approx(scores[name].value)


def test_other_languages_are_cut_as_before() -> None:
    pairs = tokenize_pairs(["a dog runs"], [["A dog is running ."]])
    assert (pairs.hypotheses, pairs.references) == (["a dog runs"], [["a dog is running"]])
