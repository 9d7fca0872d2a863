"""Laws of the scores that models of any vocabulary have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.metrics.segments import unit_segments
from lstmdrop.metrics.text_units import UNITS, ScoredLines, bits, size_of, unit_scores


def lines_of(*texts: str, tokens: list[int], masked: int = 0) -> ScoredLines:
    sizes = np.array([(*size_of(f"{text}\n"), masked) for text in texts], np.int64).T
    return ScoredLines(np.array(tokens, np.int64), *sizes)


PERPLEXITY = Score("perplexity", 2.0, False, "tokens:5000|vocabulary:9|fingerprint:ab|unknown:0|stream:single|data:cd")


def test_a_text_is_as_long_as_it_is_written() -> None:
    assert size_of("") == (0, 0, 0)
    assert size_of("\n") == (1, 1, 1)
    assert size_of("the  cat\n") == (9, 9, 3)
    assert size_of("кіт\nа\n") == (6, 10, 4)


def test_a_coin_for_each_letter_is_a_bit_a_character() -> None:
    text = lines_of("abc", "d", tokens=[4, 2])
    values = {score.name: score.value for score in unit_scores(PERPLEXITY, np.full(6, -math.log(2)), text)}
    assert values == pytest.approx({"word_perplexity": 2**1.5, "bits_per_character": 1, "bits_per_byte": 1})
    assert bits(-math.log(256), 8) == pytest.approx(1)


def test_the_vocabulary_stands_in_the_signature_only_where_it_lacks_something() -> None:
    text = lines_of("the <unk>", tokens=[2], masked=1)
    known, few, lacking = (
        unit_scores(Score("perplexity", 2.0, False, signature), np.zeros(2), text)[1].signature
        for signature in (PERPLEXITY.signature.replace("unknown:0", f"unknown:{number}") for number in (0, 5, 6))
    )
    assert known == "unit:character|characters:10|masked:1|unknown:0|stream:single|data:cd"
    assert few == known.replace("unknown:0", "unknown:5")
    assert lacking == known.replace("unknown:0", "vocabulary:9|fingerprint:ab|unknown:6")


@pytest.mark.parametrize("name", UNITS)
def test_segments_add_up_to_the_score_and_are_the_same_for_any_tokens(name: str) -> None:
    texts = ["a b c", "", "word " * 70, "d e"] * 20
    by_word = lines_of(*texts, tokens=[len(text.split()) + 1 for text in texts])
    by_letter = lines_of(*texts, tokens=[len(text) + 1 for text in texts])
    found = []
    for lines in (by_word, by_letter):
        log_probs = np.random.default_rng(0).normal(-2, 1, lines.tokens.sum())
        (score,) = [one for one in unit_scores(PERPLEXITY, log_probs, lines) if one.name == name]
        segments = unit_segments(name, log_probs, lines)
        assert segments.value == pytest.approx(score.value, rel=1e-12)
        found.append(segments.statistics)
    assert np.array_equal(found[0][:, 1], found[1][:, 1])
    assert 20 < len(found[0]) < len(texts)


def test_tokens_that_no_line_can_claim_are_refused() -> None:
    with pytest.raises(ValueError, match="3 log-probabilities for 4 tokens"):
        unit_segments("bits_per_byte", np.zeros(3), lines_of("a", "b", tokens=[2, 2]))
    with pytest.raises(ValueError, match="<eos> as a word"):
        unit_segments("bits_per_byte", np.zeros(4), lines_of("a", "b <eos>", tokens=[4, 0]))
