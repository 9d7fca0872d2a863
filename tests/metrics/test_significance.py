from __future__ import annotations

import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from lstmdrop.metrics.segments import bleu_segments, chrf_segments, perplexity_segments, word_error_segments
from lstmdrop.metrics.significance import Segments, paired_bootstrap, paired_randomisation

WORDS = ["the", "a", "cat", "dog", "sees", "hears", "house", "river", "moon", "red", "small", "old", "and", "in", "on"]


def texts(num_lines: int = 60) -> tuple[list[str], list[str], list[str]]:
    """References, and two systems that change one word in five and one in four."""
    choose = random.Random(1)
    references = [choose.choices(WORDS, k=choose.randint(5, 14)) for _ in range(num_lines)]
    systems = [
        [[choose.choice(WORDS) if choose.random() < rate else word for word in line] for line in references]
        for rate in (0.22, 0.25)
    ]
    first, second, third = ([" ".join(line) for line in lines] for lines in (references, *systems))
    return first, second, third


@pytest.mark.parametrize(("name", "metric", "make"), [("bleu", BLEU, bleu_segments), ("chrf", CHRF, chrf_segments)])
def test_the_randomisation_is_sacrebleus_own(name: str, metric: type, make: object) -> None:
    """With its seed and number of samples: not nearly, but the same. Its bootstrap's p-value is one-sided."""
    references, first, second = texts()
    systems = [("baseline", first), ("system", second)]
    segments = [make(lines, [[line] for line in references]) for lines in (first, second)]  # type: ignore[operator]
    _, theirs = PairedTest(systems, {name: metric()}, [references], test_type="ar", n_samples=400)()
    ((baseline, system),) = (scores for key, scores in theirs.items() if key != "System")
    assert (baseline.score, system.score) == pytest.approx([one.value for one in segments])
    ours = paired_randomisation(*segments, num_samples=400)
    assert ours == pytest.approx(system.p_value, abs=1e-12)
    assert 0.005 < ours < 0.9  # neither end, where anything would agree


@pytest.mark.parametrize("num_samples", [100, 101, 250, 1000])
def test_the_interval_holds_0_where_the_p_value_is_not_small_and_nowhere_else(num_samples: int) -> None:
    """Both are two-sided: an interval with 0 in it beside a p-value of 0.025 would say two things."""
    generator = np.random.default_rng(7)
    p_values = []
    for shift in np.linspace(-0.03, 0.03, 61):
        base = generator.normal(-4.0, 1.0, 1000)
        pair = perplexity_segments(base), perplexity_segments(base + generator.normal(shift, 0.3, 1000))
        found = paired_bootstrap(*pair, num_samples=num_samples)
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)
        p_values.append(found.p_value)
    assert min(p_values) < 0.05 < 0.3 < max(p_values) <= 1


def test_a_bootstrap_under_no_difference_is_seldom_significant() -> None:
    generator = np.random.default_rng(13)
    found = 0
    for _ in range(60):
        base = generator.normal(-4.0, 1.0, 2000)
        pair = [perplexity_segments(base + generator.normal(0, 0.3, 2000)) for _ in range(2)]
        found += paired_bootstrap(*pair, num_samples=200).p_value < 0.05
    assert found <= 9  # more has a probability of 0.1%


def test_a_run_against_itself_is_no_difference() -> None:
    references, first, _ = texts()
    segments = word_error_segments(first, [[line] for line in references])
    bootstrap = paired_bootstrap(segments, segments)
    assert (bootstrap.low, bootstrap.high) == (0.0, 0.0)
    assert bootstrap.p_value == 1
    assert paired_randomisation(segments, segments) == 1


@pytest.mark.parametrize("num_differing", [1, 2, 3, 5])
def test_a_few_differing_segments_are_as_likely_as_the_coin_says(num_differing: int) -> None:
    """All in one direction: of the swaps, two in 2 ** k are as far apart."""
    worse = ["a b c x" if number < num_differing else "a b c d" for number in range(130)]
    segments = [word_error_segments(lines, [["a b c d"]] * 130) for lines in (worse, ["a b c d"] * 130)]
    assert paired_randomisation(*segments) == pytest.approx(2 / 2**num_differing, abs=0.02)


def test_a_plain_difference_is_found_and_its_interval_holds_it() -> None:
    generator = np.random.default_rng(5)
    worse = generator.normal(-4.0, 1.0, 5000)
    better = worse + generator.normal(0.1, 0.2, 5000)
    segments = perplexity_segments(worse), perplexity_segments(better)
    bootstrap = paired_bootstrap(*segments)
    assert bootstrap.low < segments[1].value - segments[0].value < bootstrap.high < 0
    assert bootstrap.p_value < 0.01
    assert paired_randomisation(*segments, num_samples=1000) < 0.01


def test_the_order_of_the_runs_turns_the_difference_around() -> None:
    references, first, second = texts()
    segments = [word_error_segments(lines, [[line] for line in references]) for lines in (first, second)]
    forth, back = paired_bootstrap(*segments), paired_bootstrap(*reversed(segments))
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert forth.p_value == back.p_value
    assert paired_randomisation(*segments, num_samples=500) == paired_randomisation(*segments[::-1], num_samples=500)


def test_under_no_difference_small_p_values_are_rare() -> None:
    """Of 60 pairs that differ by chance alone, about three are called significant at 5%."""
    generator = np.random.default_rng(11)
    found = 0
    for _ in range(60):
        base = generator.normal(-4.0, 1.0, 2000)
        pair = [perplexity_segments(base + generator.normal(0, 0.3, 2000)) for _ in range(2)]
        found += paired_randomisation(*pair, num_samples=200) < 0.05
    assert found <= 9  # more has a probability of 0.1%


def test_other_numbers_of_segments_cannot_be_paired() -> None:
    one, two = perplexity_segments(np.full(100, -1.0)), perplexity_segments(np.full(200, -1.0))
    with pytest.raises(ValueError, match="2 segments cannot be paired with 4"):
        paired_bootstrap(one, two)
    with pytest.raises(ValueError, match="2 segments cannot be paired with 4"):
        paired_randomisation(one, two)


@pytest.mark.parametrize("num_segments", [1, 2, 3, 5])
def test_few_segments_that_lean_one_way_decide_nothing(num_segments: int) -> None:
    lines, references = ["a b c x"] * num_segments, [["a b c d"]] * num_segments
    better = word_error_segments(["a b c d"] * num_segments, references)
    found = paired_bootstrap(word_error_segments(lines, references), better)
    assert found.p_value == 2.0 ** (1 - num_segments)
    assert found.low < 0
    assert found.high == 0


def few_segments(num_segments: int = 12) -> tuple[Segments, Segments]:
    """Edits of two systems over five words each; the second is better in most places."""
    choose = random.Random(8)
    edits = [(choose.randint(0, 4), choose.randint(0, 2)) for _ in range(num_segments)]
    first, second = (np.array([[own[side], 5] for own in edits], np.float64) for side in (0, 1))
    return Segments(first, lambda sums: sums[0] / sums[1]), Segments(second, lambda sums: sums[0] / sums[1])


@pytest.mark.parametrize("num_samples", [39, 79, 200, 1000])
def test_the_bootstrap_is_the_plain_count_over_test_sets_drawn_anew(num_samples: int) -> None:
    first, second = few_segments()
    found = paired_bootstrap(first, second, num_samples, seed=3)
    differences = []
    for drawn in np.random.default_rng(3).choice(12, size=(num_samples, 12)):
        worse, better = (sum(segments.statistics[row, 0] for row in drawn) / 60 for segments in (first, second))
        differences.append(better - worse)
    ordered = sorted(differences)
    rarer = min(sum(value <= 1e-12 for value in ordered), sum(value >= -1e-12 for value in ordered))
    expected = min(1.0, max(2 * (rarer + 1) / (num_samples + 1), 2**-11))
    assert found.p_value == pytest.approx(expected)
    assert 0 < expected < 1
    allowed = [number for number in range(num_samples) if 2 * (number + 1) / (num_samples + 1) < 0.05]
    left_out = max(allowed, default=0)
    if expected < 0.05:
        assert (found.low, found.high) == pytest.approx((ordered[left_out], ordered[-1 - left_out]))
    else:
        assert found.low == pytest.approx(ordered[left_out])
        assert found.high == pytest.approx(max(0.0, ordered[-1 - left_out]))


@pytest.mark.parametrize("num_samples", [1, 500, 501, 1200])
def test_the_randomisation_is_the_plain_count_over_outputs_that_are_swapped(num_samples: int) -> None:
    first, second = few_segments()
    observed = abs(first.value - second.value)
    num_as_far = 0
    for kept in np.random.default_rng(7).integers(2, size=(num_samples, 12), dtype=bool):
        pairs = list(zip(first.statistics[:, 0], second.statistics[:, 0], kept, strict=True))
        ours = sum(one if is_kept else other for one, other, is_kept in pairs)
        theirs = sum(other if is_kept else one for one, other, is_kept in pairs)
        num_as_far += abs(ours - theirs) / 60 >= observed - 1e-12
    expected = (num_as_far + 1) / (num_samples + 1)
    assert paired_randomisation(first, second, num_samples, seed=7) == pytest.approx(expected)


def test_nothing_cannot_be_paired_with_nothing() -> None:
    empty = Segments(np.zeros((0, 2)), lambda sums: 0.0)
    with pytest.raises(ValueError, match="0 segments cannot be paired with 0"):
        paired_bootstrap(empty, empty)
