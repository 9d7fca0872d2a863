"""Perplexity worked by hand, and the laws of averaging."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstmdrop.metrics.perplexity import (
    Predicted,
    mixture_log_probs,
    perplexity,
    stream_perplexities,
    token_and_word_perplexity,
    warn_of_unknown,
)
from lstmdrop.metrics.score import Score


def test_worked_by_hand() -> None:
    # 1/2 * 1/8 = 2**-4 over two tokens: 2**2
    assert perplexity(np.log([0.5, 0.125])) == pytest.approx(4.0, rel=1e-14)


def test_of_a_uniform_guess_is_the_number_of_choices() -> None:
    assert perplexity(np.full(1000, -math.log(37))) == pytest.approx(37, rel=1e-12)


def test_of_certainty_is_one() -> None:
    assert perplexity(np.zeros(5)) == 1.0


def test_is_independent_of_the_order_and_of_the_parts_that_are_joined() -> None:
    log_probs = -np.random.default_rng(0).exponential(5, 1000)
    assert perplexity(log_probs[::-1].copy()) == pytest.approx(perplexity(log_probs), rel=1e-13)
    short, long = log_probs[:10], log_probs[10:]
    pooled = (math.log(perplexity(short)) * 10 + math.log(perplexity(long)) * 990) / 1000
    assert perplexity(log_probs) == pytest.approx(math.exp(pooled), rel=1e-12)


def test_is_summed_in_float64_whatever_it_is_given() -> None:
    """In float32 the sum of ten million equal terms is wrong in the third digit, added one by one."""
    log_probs = np.full(1_000_000, -0.1, dtype=np.float32)
    exact = math.exp(-math.fsum(log_probs.tolist()) / log_probs.size)
    assert perplexity(log_probs) == pytest.approx(exact, rel=1e-13)


def test_without_tokens_there_is_none() -> None:
    with pytest.raises(ValueError, match="at least one"):
        perplexity(np.zeros(0))


def test_score_says_how_it_was_made() -> None:
    predicted = Predicted(10, "fedcba9876543210", 0, "0123456789abcdef")
    (score,) = stream_perplexities(np.log([0.5, 0.125]), predicted, np.array([True, True]), num_models=2)
    assert (score.name, score.higher_is_better) == ("perplexity", False)
    parts = dict(part.split(":") for part in score.signature.split("|"))
    assert parts["tokens"] == "2"
    assert parts["vocabulary"] == "10"
    assert parts["fingerprint"] == "fedcba987654"
    assert parts["unknown"] == "0"
    assert parts["models"] == "2"
    assert parts["data"] == "0123456789ab"
    assert (parts["stream"], parts["state"]) == ("single", "carried")


def test_what_is_unknown_is_left_out_of_a_second_score() -> None:
    """One guess, <unk>, is right for every word that the vocabulary lacks: that alone is no good model."""
    log_probs = np.log([0.9, 0.9, 0.9, 0.01])
    everything, known = stream_perplexities(
        log_probs, Predicted(3, "f" * 64, 3, "d" * 64), np.array([False, False, False, True])
    )
    assert everything.value == pytest.approx(np.exp(-log_probs.mean()))
    assert (known.name, known.value) == ("known_perplexity", pytest.approx(100.0))
    assert "unknown:3" in everything.signature
    assert "known:1|" in known.signature


def test_many_unknown_tokens_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_unknown(5, 100, "the test text")
    assert not caplog.records
    warn_of_unknown(6, 100, "the test text")
    assert "6.0% of the tokens of the test text are unknown" in caplog.text


def test_only_what_is_counted_by_token_depends_on_the_vocabulary() -> None:
    by_token, by_word = token_and_word_perplexity(np.log([0.5, 0.125]), "bpe", 300, "f" * 64, 1, {"data": "abc"})
    assert (by_token.value, by_word.value) == (pytest.approx(4.0), pytest.approx(16.0))
    assert by_token.signature.startswith("unit:bpe|tokens:2|vocabulary:300|fingerprint:ffffffffffff|data:abc|")
    assert by_word.signature.startswith("unit:word|words:1|data:abc|")


def test_mixture_is_the_mean_of_the_probabilities() -> None:
    first, second = np.array([0.5, 0.1, 1e-30]), np.array([0.25, 0.3, 1e-10])
    log_probs, count = mixture_log_probs([np.log(first), np.log(second)])
    np.testing.assert_allclose(np.exp(log_probs), (first + second) / 2, rtol=1e-13)
    assert count == 2


def test_mixture_of_one_model_or_of_its_copies_is_that_model() -> None:
    log_probs = np.log(np.random.default_rng(0).random(50))
    for copies in (1, 2, 5):
        mixture, count = mixture_log_probs([log_probs] * copies)
        np.testing.assert_allclose(mixture, log_probs, atol=1e-14)
        assert count == copies


def test_mixture_does_not_underflow() -> None:
    mixture, _ = mixture_log_probs([np.array([-2000.0]), np.array([-2000.0])])
    assert mixture[0] == pytest.approx(-2000.0)


def test_mixture_does_not_change_its_members() -> None:
    members = [np.log([0.5, 0.5]), np.log([0.1, 0.9])]
    before = [member.copy() for member in members]
    mixture_log_probs(members)
    for member, copy in zip(members, before, strict=True):
        np.testing.assert_array_equal(member, copy)


def test_mixture_needs_members_of_one_length() -> None:
    with pytest.raises(ValueError, match="different numbers of tokens: 2 and 3"):
        mixture_log_probs([np.zeros(2), np.zeros(3)])
    with pytest.raises(ValueError, match="at least one model"):
        mixture_log_probs([])


@pytest.mark.parametrize(("higher_is_better", "better", "worse"), [(True, 2.0, 1.0), (False, 1.0, 2.0)])
def test_a_tie_beats_nothing(higher_is_better: bool, better: float, worse: float) -> None:
    good, bad = (Score("x", value, higher_is_better, "") for value in (better, worse))
    assert good.is_better_than(bad)
    assert not bad.is_better_than(good)
    assert not good.is_better_than(good)


def test_without_an_unknown_or_without_a_known_token_there_is_no_second_score() -> None:
    log_probs = np.log([0.5, 0.25])
    for num_unknown, is_known in ((0, [True, False]), (2, [False, False])):
        predicted = Predicted(3, "f" * 64, num_unknown, "d" * 64)
        found = stream_perplexities(log_probs, predicted, np.array(is_known))
        assert [score.name for score in found] == ["perplexity"]


def test_a_stream_is_of_one_model_where_nobody_says_of_how_many() -> None:
    (score,) = stream_perplexities(np.log([0.5]), Predicted(3, "f" * 64, 0, "d" * 64), np.array([True]))
    assert "|models:1|" in score.signature


def test_words_count_in_the_perplexity_by_word_alone() -> None:
    log_probs = np.log([0.5, 0.125, 0.25])  # 2 ** -6
    by_token, by_word = token_and_word_perplexity(log_probs, "bpe", 300, "f" * 64, 2, {})
    assert (by_token.value, by_word.value) == (pytest.approx(4.0), pytest.approx(8.0))
    assert (by_token.name, by_word.name) == ("perplexity", "word_perplexity")
    assert not by_token.higher_is_better
    assert not by_word.higher_is_better
