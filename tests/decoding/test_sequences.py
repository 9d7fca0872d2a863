"""Laws of sampling whole sequences, on a model given as a table."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.hypotheses import Hypothesis
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences

BOS, EOS = 0, 1


class Bigrams:
    """The next token by the last one; a sentence's row of attention is its number."""

    def __init__(self, seed: int = 0, size: int = 5) -> None:
        logits = torch.randn(size, size, generator=torch.Generator().manual_seed(seed)) * 1.5
        self.log_probs = logits.log_softmax(-1)

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.log_probs[tokens], state[:, None].expand(-1, 3).float(), state

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]


def drawn(model: Bigrams, seeds: list[int], longest: int = 6, **options: Any) -> list[Hypothesis]:
    return sample_sequences(
        model, torch.arange(len(seeds)), bos=BOS, eos=EOS, max_lengths=torch.full((len(seeds),), longest),
        options=SamplingOptions(**options), seeds=seeds, source_lengths=torch.full((len(seeds),), 2),
    )  # fmt: skip


def log_prob(model: Bigrams, hypothesis: Hypothesis) -> float:
    tokens = (BOS, *hypothesis.tokens, *([EOS] if hypothesis.finished else []))
    return float(sum(model.log_probs[old, new] for old, new in pairwise(tokens)))


def test_sequences_come_as_often_as_the_model_says() -> None:
    model, number = Bigrams(), 4000
    found = Counter(hypothesis.tokens for hypothesis in drawn(model, list(range(number))) if hypothesis.finished)
    for tokens, count in found.most_common(8):
        probability = math.exp(log_prob(model, Hypothesis(tokens, 0.0, 0.0, True, None)))
        deviation = math.sqrt(probability * (1 - probability) / number)
        assert count / number == pytest.approx(probability, abs=4 * deviation)


def test_log_probabilities_are_the_models_whatever_the_temperature() -> None:
    model = Bigrams()
    for hypothesis in drawn(model, list(range(20)), temperature=0.5, top_k=3):
        assert hypothesis.log_prob == pytest.approx(log_prob(model, hypothesis), abs=1e-5)


def test_what_a_row_gets_depends_on_no_other_row() -> None:
    model = Bigrams()
    together = drawn(model, [5, 6, 7])
    assert [drawn(model, [seed])[0].tokens for seed in (5, 6, 7)] == [hypothesis.tokens for hypothesis in together]
    assert len({hypothesis.tokens for hypothesis in drawn(model, list(range(50)))}) > 10


def test_a_row_ends_at_its_longest_length_or_before() -> None:
    model = Bigrams()
    found = drawn(model, list(range(300)), longest=2)
    assert {len(hypothesis.tokens) for hypothesis in found} == {0, 1, 2}
    assert {hypothesis.finished for hypothesis in found if len(hypothesis.tokens) == 2} == {True, False}
    assert all(hypothesis.finished for hypothesis in found if len(hypothesis.tokens) < 2)


def test_banned_tokens_are_never_drawn() -> None:
    found = drawn(Bigrams(), list(range(100)), banned=[2, 3])
    assert all(set(hypothesis.tokens) <= {BOS, 4} for hypothesis in found)


def test_attention_is_the_rows_own_over_real_positions() -> None:
    for number, hypothesis in enumerate(drawn(Bigrams(), list(range(8)))):
        assert hypothesis.attention is not None
        steps = len(hypothesis.tokens) + hypothesis.finished
        assert torch.equal(hypothesis.attention, torch.full((steps, 2), float(number)))


class Blind(Bigrams):
    """Looks at nothing."""

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, None, Tensor]:  # type: ignore[override]
        return self.log_probs[tokens], None, state


def test_a_model_that_looks_at_nothing_draws_the_same_without_attention() -> None:
    seeds = list(range(20))
    for seen, blind in zip(drawn(Bigrams(), seeds), drawn(Blind(), seeds), strict=True):
        assert blind.attention is None
        assert (blind.tokens, blind.log_prob, blind.finished) == (seen.tokens, seen.log_prob, seen.finished)
        assert blind.score == blind.log_prob


def test_each_row_has_a_longest_length_of_its_own() -> None:
    longest = torch.tensor([0, 1, 2, 3] * 50)
    found = sample_sequences(
        Bigrams(), torch.arange(len(longest)), bos=BOS, eos=EOS, max_lengths=longest,
        options=SamplingOptions(banned=[EOS]), seeds=list(range(len(longest))),
    )  # fmt: skip
    assert [len(hypothesis.tokens) for hypothesis in found] == longest.tolist()
    assert not any(hypothesis.finished for hypothesis in found)
    for hypothesis, length in zip(found, longest.tolist(), strict=True):  # without lengths all positions are real
        assert (hypothesis.attention is None) == (length == 0)
        assert hypothesis.attention is None or hypothesis.attention.shape == (length, 3)


def test_a_row_cut_at_its_longest_length_may_still_end_by_itself() -> None:
    """The step after the last token is taken: <eos> in it finishes, and counts."""
    model = Bigrams()
    model.log_probs = torch.full((5, 5), -torch.inf)
    model.log_probs[BOS, 2] = model.log_probs[2, EOS] = 0.0
    (hypothesis,) = drawn(model, [3], longest=1)
    assert (hypothesis.tokens, hypothesis.finished, hypothesis.log_prob) == ((2,), True, 0.0)
    (cut,) = drawn(model, [3], longest=0)
    assert (cut.tokens, cut.finished, cut.log_prob) == ((), False, 0.0)
