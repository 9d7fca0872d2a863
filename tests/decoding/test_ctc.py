"""Laws of CTC decoding: against every path there is, and against an independent decoder."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.decoding.ctc import align, collapse, greedy, num_steps_needed
from lstmdrop.decoding.ctc_search import CTCBeamSettings, PrefixBeamSearch, prefix_beam_search

BLANK = 0
WHOLE = CTCBeamSettings(beam_size=100_000, num_best=100_000)


def random_log_probs(num_steps: int, num_tokens: int, seed: int, sharpness: float = 1.5) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal((num_steps, num_tokens))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def every_sequence(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The log-probability of each token sequence, summed over every path."""
    totals: dict[tuple[int, ...], float] = defaultdict(lambda: -math.inf)
    num_steps, num_tokens = log_probs.shape
    for path in product(range(num_tokens), repeat=num_steps):
        tokens = collapse(path, BLANK)
        totals[tokens] = float(np.logaddexp(totals[tokens], sum(log_probs[step, t] for step, t in enumerate(path))))
    return dict(totals)


class Bigrams:
    """A language model whose state is the last token."""

    def __init__(self, num_tokens: int, seed: int) -> None:
        self.table = random_log_probs(num_tokens + 1, num_tokens + 1, seed)

    def start(self) -> int:
        return len(self.table) - 1

    def extend(self, states: Sequence[Any], tokens: Sequence[int]) -> Sequence[int]:
        return list(tokens)

    def score(self, state: int, token: int) -> float:
        return float(self.table[state, token])

    def finish(self, state: int) -> float:
        return float(self.table[state, -1])

    def log_prob(self, tokens: Sequence[int]) -> float:
        states = [self.start(), *tokens]
        return sum(self.score(a, b) for a, b in zip(states, tokens, strict=False)) + self.finish(states[-1])


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_holds_everything_is_exact(seed: int) -> None:
    log_probs = random_log_probs(5, 4, seed)
    expected = every_sequence(log_probs)
    found = {hypothesis.tokens: hypothesis.log_prob for hypothesis in prefix_beam_search(log_probs, BLANK, WHOLE)}
    assert found.keys() == expected.keys()
    assert all(found[tokens] == pytest.approx(value, abs=1e-9) for tokens, value in expected.items())
    assert np.logaddexp.reduce(list(found.values())) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_fusion_ranks_by_the_weighted_sum(seed: int) -> None:
    log_probs, lm = random_log_probs(4, 4, seed), Bigrams(4, seed + 10)
    settings = CTCBeamSettings(beam_size=100_000, num_best=5, lm_weight=0.7, length_bonus=0.4)
    expected = sorted(
        (value + 0.7 * lm.log_prob(tokens) + 0.4 * len(tokens) for tokens, value in every_sequence(log_probs).items()),
        reverse=True,
    )
    found = prefix_beam_search(log_probs, BLANK, settings, lm)
    assert [hypothesis.score for hypothesis in found] == pytest.approx(expected[:5], abs=1e-9)


def test_a_language_model_of_weight_nothing_changes_nothing() -> None:
    log_probs = random_log_probs(20, 6, 1)
    settings = CTCBeamSettings(beam_size=6, num_best=6)
    assert prefix_beam_search(log_probs, BLANK, settings, Bigrams(6, 0)) == prefix_beam_search(
        log_probs, BLANK, settings
    )


def plain_search(log_probs: np.ndarray, settings: CTCBeamSettings, lm: Bigrams) -> list[tuple[int, ...]]:
    """Every prefix of the beam with every token, at every step."""
    beam = {(): (0.0, -math.inf)}

    def rank(tokens: tuple[int, ...], masses: tuple[float, float], end: float = 0.0) -> float:
        said = sum(lm.score(a, b) for a, b in zip([lm.start(), *tokens], tokens, strict=False))
        return float(np.logaddexp(*masses)) + settings.lm_weight * (said + end) + settings.length_bonus * len(tokens)

    for step in log_probs:
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for tokens, (blank, token) in beam.items():
            total = np.logaddexp(blank, token)
            grown[tokens][0] = np.logaddexp(grown[tokens][0], total + step[BLANK])
            if tokens:
                grown[tokens][1] = np.logaddexp(grown[tokens][1], token + step[tokens[-1]])
            for new in range(1, len(step)):
                if step[new] >= step.max() - settings.prune:
                    longer, before = (*tokens, new), blank if tokens[-1:] == (new,) else total
                    grown[longer][1] = np.logaddexp(grown[longer][1], before + step[new])
        best = sorted(grown, key=lambda tokens: rank(tokens, (grown[tokens][0], grown[tokens][1])), reverse=True)
        beam = {tokens: (grown[tokens][0], grown[tokens][1]) for tokens in best[: settings.beam_size]}
    ends = {tokens: lm.finish([lm.start(), *tokens][-1]) for tokens in beam}
    return sorted(beam, key=lambda tokens: rank(tokens, beam[tokens], ends[tokens]), reverse=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("beam_size", "prune"), [(1, math.inf), (3, math.inf), (8, math.inf), (8, 2.0)])
def test_what_is_not_tried_would_not_have_entered_the_beam(seed: int, beam_size: int, prune: float) -> None:
    log_probs, lm = random_log_probs(25, 6, seed, sharpness=3.0), Bigrams(6, seed + 20)
    settings = CTCBeamSettings(beam_size, num_best=beam_size, lm_weight=0.5, length_bonus=0.8, prune=prune)
    found = prefix_beam_search(log_probs, BLANK, settings, lm)
    assert [hypothesis.tokens for hypothesis in found] == plain_search(log_probs, settings, lm)


@pytest.mark.parametrize("seed", range(6))
def test_the_search_agrees_with_an_independent_decoder(seed: int) -> None:
    fast_ctc_decode = pytest.importorskip("fast_ctc_decode")
    log_probs = random_log_probs(30, 6, seed, sharpness=3.0).astype(np.float32)
    theirs, _ = fast_ctc_decode.beam_search(np.exp(log_probs), "-abcde", beam_size=50, beam_cut_threshold=0.0)
    (ours,) = prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=50))
    assert "".join("-abcde"[token] for token in ours.tokens) == theirs


@pytest.mark.parametrize("seed", range(4))
def test_the_n_best_are_those_of_an_independent_decoder(seed: int) -> None:
    theirs = pytest.importorskip("flashlight.lib.text.decoder")
    log_probs = random_log_probs(10, 4, seed).astype(np.float32)
    options = theirs.LexiconFreeDecoderOptions(
        beam_size=3000, beam_size_token=4, beam_threshold=1e9, lm_weight=0.0, sil_score=0.0, log_add=True,
        criterion_type=theirs.CriterionType.CTC,
    )  # fmt: skip
    decoder = theirs.LexiconFreeDecoder(options, theirs.ZeroLM(), -1, BLANK, [])  # -1 stands at both ends
    expected = decoder.decode(log_probs.ctypes.data, *log_probs.shape)[:20]
    found = prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=3000, num_best=20))
    assert [one.tokens for one in found] == [collapse(one.tokens[1:-1], BLANK) for one in expected]
    assert [one.log_prob for one in found] == pytest.approx([one.score for one in expected], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_log_probs_are_those_of_the_ctc_loss(seed: int) -> None:
    log_probs = random_log_probs(12, 5, seed, sharpness=3.0)
    for hypothesis in prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=4000, num_best=3)):
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs)[:, None],
            torch.tensor([hypothesis.tokens], dtype=torch.long),
            torch.tensor([12]),
            torch.tensor([len(hypothesis.tokens)]),
            blank=BLANK,
            reduction="sum",
        )
        assert -float(loss) == pytest.approx(hypothesis.log_prob, abs=1e-3)


def test_greedy_is_the_best_path() -> None:
    log_probs = random_log_probs(6, 3, 4)
    best = max(product(range(3), repeat=6), key=lambda path: sum(log_probs[n, token] for n, token in enumerate(path)))
    found = greedy(log_probs, BLANK)
    assert found.tokens == collapse(best, BLANK)
    assert found.log_prob == pytest.approx(sum(log_probs[n, token] for n, token in enumerate(best)))


@pytest.mark.slow
def test_a_larger_beam_is_never_worse() -> None:
    log_probs = random_log_probs(15, 8, 3)
    scores = [
        prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=size))[0].log_prob for size in (1, 50, 2000)
    ]
    assert scores[0] <= scores[1] + 1e-9 <= scores[2] + 2e-9


def test_pruning_only_leaves_out_the_unlikely() -> None:
    log_probs = random_log_probs(20, 8, 3, sharpness=4.0)
    whole = prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=50))[0]
    pruned = prefix_beam_search(log_probs, BLANK, CTCBeamSettings(beam_size=50, prune=10.0))[0]
    assert pruned.tokens == whole.tokens
    assert pruned.log_prob == pytest.approx(whole.log_prob, abs=0.01)


@pytest.mark.parametrize("size", [1, 7, 20])
def test_a_search_may_come_in_pieces(size: int) -> None:
    log_probs, lm = random_log_probs(20, 6, 1), Bigrams(6, 2)
    settings = CTCBeamSettings(beam_size=6, num_best=6, lm_weight=0.5)
    search = PrefixBeamSearch(BLANK, settings, lm)
    for start in range(0, 20, size):
        search.accept(log_probs[start : start + size])
        assert search.hypotheses() == prefix_beam_search(log_probs[: start + size], BLANK, settings, lm)


def test_no_step_says_nothing() -> None:
    nothing = np.zeros((0, 3))
    assert greedy(nothing, BLANK).tokens == ()
    assert prefix_beam_search(nothing, BLANK, CTCBeamSettings())[0].tokens == ()


@pytest.mark.parametrize("tokens", [(1, 2), (1, 1), (2,), (2, 1, 1)])
def test_the_alignment_is_the_best_path_that_says_the_tokens(tokens: tuple[int, ...]) -> None:
    log_probs = random_log_probs(6, 3, 7)
    best = max(
        (path for path in product(range(3), repeat=6) if collapse(path, BLANK) == tokens),
        key=lambda path: sum(log_probs[n, token] for n, token in enumerate(path)),
    )
    assert path_of(align(log_probs, tokens, BLANK), tokens, 6) == best


@pytest.mark.parametrize("seed", range(5))
def test_what_greedy_decoding_says_is_aligned_to_its_path(seed: int) -> None:
    log_probs = random_log_probs(30, 4, seed)
    tokens = greedy(log_probs, BLANK).tokens
    assert path_of(align(log_probs, tokens, BLANK), tokens, 30) == tuple(log_probs.argmax(1))


def test_a_long_alignment_finds_the_path_that_was_likely() -> None:
    path = np.array([BLANK, 1, 1, 2, BLANK, 2, 1] * 60)
    scores = np.full((len(path), 4), -6.0)
    scores[np.arange(len(path)), path] = -0.5
    scores[-3, 3] = -0.4  # not said, but the likeliest there
    tokens = collapse(path.tolist(), BLANK)
    assert path_of(align(scores, tokens, BLANK), tokens, len(path)) == tuple(path)


def path_of(spans: Sequence[range], tokens: Sequence[int], num_steps: int) -> tuple[int, ...]:
    path = [BLANK] * num_steps
    for token, span in zip(tokens, spans, strict=True):
        for step in span:
            path[step] = token
    return tuple(path)


def test_an_alignment_needs_a_step_for_each_token_and_for_each_repetition() -> None:
    assert num_steps_needed((1, 1, 2)) == 4
    assert align(random_log_probs(4, 3, 0), (1, 1, 2), BLANK) == [range(1), range(2, 3), range(3, 4)]
    with pytest.raises(ValueError, match="3 steps cannot say 3 tokens"):
        align(random_log_probs(3, 3, 0), (1, 1, 2), BLANK)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and beam_size"):
        CTCBeamSettings(beam_size=2, num_best=3)
    with pytest.raises(ValueError, match="lm_weight is -1; it is 0 or more"):
        CTCBeamSettings(lm_weight=-1.0)


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 3))
def test_a_path_collapses_to_its_runs_without_blanks(path: list[int], blank: int) -> None:
    said: list[int] = []
    before = None
    for token in path:
        if token not in (before, blank):
            said.append(token)
        before = token
    assert collapse(path, blank) == tuple(said)


@given(st.lists(st.integers(1, 3), max_size=8))
def test_the_fewest_steps_that_can_say_tokens_do_say_them(tokens: list[int]) -> None:
    shortest: list[int] = []
    for token in tokens:
        shortest += [BLANK, token] if shortest[-1:] == [token] else [token]
    assert num_steps_needed(tokens) == len(shortest)
    assert collapse(shortest, BLANK) == tuple(tokens)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.lists(st.integers(0, 2), max_size=4), st.integers(0, 10_000), st.sampled_from([0.2, 3.0]))
def test_no_path_that_says_the_tokens_is_likelier_than_the_aligned_one(
    num_steps: int, tokens: list[int], seed: int, sharpness: float
) -> None:
    """Whatever the number of the blank."""
    blank = seed % 3
    tokens = [token for token in tokens if token != blank]
    log_probs = random_log_probs(num_steps, 3, seed, sharpness)
    paths = [path for path in product(range(3), repeat=num_steps) if collapse(path, blank) == tuple(tokens)]
    assert bool(paths) == (num_steps_needed(tokens) <= num_steps)
    if not paths:
        with pytest.raises(ValueError, match=f"{num_steps} steps cannot say {len(tokens)} tokens"):
            align(log_probs, tokens, blank)
        return
    found = [blank] * num_steps
    for token, span in zip(tokens, align(log_probs, tokens, blank), strict=True):
        assert len(span) > 0
        for step in span:
            assert found[step] == blank
            found[step] = token
    assert collapse(found, blank) == tuple(tokens)
    best = max(sum(log_probs[step, token] for step, token in enumerate(path)) for path in paths)
    assert sum(log_probs[step, token] for step, token in enumerate(found)) == pytest.approx(best)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(0, 10_000), st.integers(0, 2))
def test_all_prefixes_are_found_with_their_probability_whatever_the_number_of_the_blank(
    num_steps: int, seed: int, blank: int
) -> None:
    log_probs = random_log_probs(num_steps, 3, seed)
    totals: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(3), repeat=num_steps):
        totals[collapse(path, blank)] += math.exp(sum(log_probs[step, token] for step, token in enumerate(path)))
    found = prefix_beam_search(log_probs, blank, WHOLE)
    assert {hypothesis.tokens: math.exp(hypothesis.log_prob) for hypothesis in found} == pytest.approx(dict(totals))
    assert [hypothesis.score for hypothesis in found] == sorted((one.score for one in found), reverse=True)
    assert all(hypothesis.score == hypothesis.log_prob for hypothesis in found)


def test_equally_good_outputs_come_in_the_order_of_their_tokens() -> None:
    flat = np.log(np.full((1, 4), 0.25))
    assert [one.tokens for one in prefix_beam_search(flat, BLANK, WHOLE)] == [(), (1,), (2,), (3,)]


def test_a_token_exactly_as_unlikely_as_is_allowed_is_tried() -> None:
    log_probs = np.array([[-1.0, -2.0, -3.0, -3.5]])
    for prune, tried in ((0.0, [()]), (1.0, [(), (1,)]), (1.5, [(), (1,)]), (2.0, [(), (1,), (2,)])):
        found = prefix_beam_search(log_probs, BLANK, CTCBeamSettings(8, 8, prune=prune))
        assert [one.tokens for one in found] == tried


def test_a_search_starts_where_the_language_model_is_told_to() -> None:
    log_probs, lm = random_log_probs(4, 4, 5), Bigrams(4, 6)
    settings = CTCBeamSettings(beam_size=200, num_best=200, lm_weight=0.9)
    found = {one.tokens: one.score for one in prefix_beam_search(log_probs, BLANK, settings, lm, start=2)}
    for tokens, log_prob in every_sequence(log_probs).items():
        states = [2, *tokens]
        said = sum(lm.score(old, new) for old, new in zip(states, tokens, strict=False)) + lm.finish(states[-1])
        assert found[tokens] == pytest.approx(log_prob + 0.9 * said)


@pytest.mark.parametrize(("beam_size", "num_best"), [(0, 1), (-1, 1), (3, 0), (3, 4)])
def test_beams_that_hold_no_result_are_refused(beam_size: int, num_best: int) -> None:
    with pytest.raises(ValueError, match=rf"num_best is {num_best}; it lies between 1 and beam_size \({beam_size}\)"):
        CTCBeamSettings(beam_size, num_best)
    assert CTCBeamSettings(1, 1, lm_weight=0.0).num_best == 1
