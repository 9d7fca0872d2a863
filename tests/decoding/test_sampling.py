"""Laws of sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.sampling import SamplingOptions, adjusted_logits, sample, seed_of

VOCABULARY = 12


def random_logits(batch: int = 3, size: int = VOCABULARY) -> Tensor:
    return torch.randn(batch, size, generator=torch.Generator().manual_seed(0)) * 2


def support(logits: Tensor) -> list[list[int]]:
    return [row.nonzero()[:, 0].tolist() for row in logits.softmax(-1) > 0]


def fixed(logits: Tensor) -> Callable[[Tensor, None], tuple[Tensor, None]]:
    """A model that always says the same of each row."""
    return lambda tokens, state: (logits, None)


def draw(logits: Tensor, length: int, options: SamplingOptions, seed: int = 0) -> Tensor:
    prompt = torch.zeros(1, len(logits), dtype=torch.long)
    return sample(fixed(logits), prompt, length, options, [seed_of(seed, n) for n in range(prompt.shape[1])])


@pytest.mark.parametrize("temperature", [1e-3, 1e-20, 1e-37])
def test_towards_temperature_zero_sampling_is_greedy(temperature: float) -> None:
    logits = random_logits() * 10
    drawn = draw(logits, 20, SamplingOptions(temperature))
    assert torch.equal(drawn, logits.argmax(-1).expand(20, -1))


def test_top_1_is_greedy_and_each_row_has_its_own_distribution() -> None:
    logits = random_logits(5)
    order = torch.tensor([3, 0, 4, 1, 2])
    options = SamplingOptions(top_k=1)
    assert torch.equal(draw(logits, 4, options), logits.argmax(-1).expand(4, -1))
    assert torch.equal(draw(logits[order], 4, options), draw(logits, 4, options)[:, order])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_is_a_power_of_the_probabilities(temperature: float) -> None:
    logits = random_logits()
    powered = logits.softmax(-1).pow(1 / temperature)
    expected = powered / powered.sum(-1, keepdim=True)
    found = adjusted_logits(logits, SamplingOptions(temperature)).softmax(-1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("top_k", [1, 3, VOCABULARY, VOCABULARY + 5])
def test_top_k_leaves_the_k_likeliest_in_their_proportion(top_k: int) -> None:
    logits = random_logits()
    found = adjusted_logits(logits, SamplingOptions(top_k=top_k))
    for row, kept in zip(logits, support(found), strict=True):
        assert set(kept) == set(row.topk(min(top_k, VOCABULARY)).indices.tolist())
    kept_mass = logits.softmax(-1).where(found.isfinite(), 0)
    torch.testing.assert_close(found.softmax(-1), kept_mass / kept_mass.sum(-1, keepdim=True))


def test_top_p_leaves_the_smallest_set_of_that_mass_worked_by_hand() -> None:
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()
    expected = {
        0.05: {1},
        0.39: {1},
        0.41: {1, 3},
        0.69: {1, 3},
        0.71: {1, 2, 3},
        0.95: {0, 1, 2, 3},
        1.0: {0, 1, 2, 3},
    }
    for mass, tokens in expected.items():
        assert set(support(adjusted_logits(logits, SamplingOptions(top_p=mass)))[0]) == tokens, mass


def test_the_whole_mass_is_every_token_however_many_there_are() -> None:
    logits = torch.randn(4, 10_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(adjusted_logits(logits, SamplingOptions(top_p=1.0)), adjusted_logits(logits, SamplingOptions()))


def test_top_p_counts_the_mass_after_top_k_and_both_after_the_ban() -> None:
    logits = torch.tensor([[0.5, 0.2, 0.2, 0.06, 0.04]]).log() + torch.tensor([0.0, 0.01, 0, 0, 0])
    found = adjusted_logits(logits, SamplingOptions(top_k=2, top_p=0.45, banned=[0]))
    assert support(found) == [[1]]
    found = adjusted_logits(logits, SamplingOptions(top_k=2, top_p=0.55, banned=[0]))
    assert support(found) == [[1, 2]]


def test_the_logits_given_are_not_changed() -> None:
    logits = random_logits()
    before = logits.clone()
    adjusted_logits(logits, SamplingOptions(0.5, 3, 0.5, [1]))
    assert torch.equal(logits, before)


@pytest.mark.parametrize("banned", [[0], [2, 2, 5], list(range(VOCABULARY - 1))])
def test_a_banned_token_is_never_drawn_however_likely(banned: Sequence[int]) -> None:
    logits = torch.zeros(2, VOCABULARY)
    logits[:, list(banned)] = 50.0
    drawn = draw(logits, 300, SamplingOptions(top_k=5, banned=banned))
    assert not set(drawn.flatten().tolist()) & set(banned)


def test_the_ban_of_every_token_is_refused() -> None:
    with pytest.raises(ValueError, match="every token"):
        adjusted_logits(random_logits(), SamplingOptions(banned=range(VOCABULARY)))


def test_the_same_seed_draws_the_same_and_global_randomness_plays_no_part() -> None:
    logits = random_logits()
    torch.manual_seed(1)
    first = draw(logits, 50, SamplingOptions(), seed=7)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(draw(logits, 50, SamplingOptions(), seed=7), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(draw(logits, 50, SamplingOptions(), seed=8), first)


def test_draws_follow_the_distribution() -> None:
    """Pearson's statistic of 11 degrees of freedom exceeds 31.3 once in a thousand; the seed is fixed."""
    logits = random_logits(1) / 2
    drawn = draw(logits, 4000, SamplingOptions())[:, 0]
    expected = logits.softmax(-1)[0] * len(drawn)
    counts = torch.bincount(drawn, minlength=VOCABULARY)
    assert float(((counts - expected).square() / expected).sum()) < 31.3
    uniform = torch.full((VOCABULARY,), len(drawn) / VOCABULARY)
    assert float(((counts - uniform).square() / uniform).sum()) > 31.3  # and the test can tell


def test_rows_of_a_batch_are_drawn_independently() -> None:
    drawn = draw(torch.zeros(2, 4), 4000, SamplingOptions())
    assert abs(float((drawn[:, 0] == drawn[:, 1]).float().mean()) - 0.25) < 0.03


def test_each_token_is_drawn_after_all_before_it() -> None:
    """A model that counts: the next token is the sum of all so far, modulo the vocabulary."""
    calls = []

    def next_logits(tokens: Tensor, total: Tensor | None) -> tuple[Tensor, Tensor]:
        calls.append(tokens.tolist())
        total = tokens.sum(0) + (0 if total is None else total)
        return torch.nn.functional.one_hot(total % VOCABULARY, VOCABULARY) * 100.0, total

    prompt = torch.tensor([[1, 2], [2, 3]])
    drawn = sample(next_logits, prompt, 3, SamplingOptions(), range(prompt.shape[1]))
    assert drawn.tolist() == [[3, 5], [6, 10], [0, 8]]
    assert calls == [[[1, 2], [2, 3]], [[3, 5]], [[6, 10]]]


def test_what_a_row_draws_depends_on_no_other_row() -> None:
    logits = random_logits(1, 50).expand(8, 50)
    alone = sample(fixed(logits[:1]), torch.zeros(1, 1, dtype=torch.long), 20, SamplingOptions(), [seed_of(3, 0)])
    beside = sample(fixed(logits), torch.zeros(1, 8, dtype=torch.long), 20, SamplingOptions(),
                    [seed_of(3, n) for n in range(8)])  # fmt: skip
    assert torch.equal(alone[:, 0], beside[:, 0])
    assert len({tuple(column) for column in beside.T.tolist()}) == 8


@pytest.mark.parametrize("temperature", [1e-300, 5e-324, 1e-40, 1e-10])
def test_the_coldest_temperature_takes_the_likeliest(temperature: float) -> None:
    logits = random_logits(4, 30)
    options = SamplingOptions(temperature=temperature)
    drawn = sample(fixed(logits), torch.zeros(1, 4, dtype=torch.long), 3, options, range(4))
    assert (drawn == logits.argmax(-1)).all()


@pytest.mark.parametrize("largest", [1e-30, 1.0, 1e10, 1e30, -1e10])
def test_no_temperature_overflows_however_large_the_logits(largest: float) -> None:
    logits = torch.tensor([[0.0, largest, largest]])
    for temperature in (0.0, 1e-30, 1e-3):
        found = adjusted_logits(logits, SamplingOptions(temperature=temperature)).softmax(-1)
        assert found.isfinite().all()
        assert float(found.sum()) == pytest.approx(1)
        assert float(found[0, 1]) == float(found[0, 2])
        if temperature == 0 and abs(largest) >= 1:
            assert found.tolist() == ([[0.0, 0.5, 0.5]] if largest > 0 else [[1.0, 0.0, 0.0]])


@pytest.mark.parametrize(("mass", "kept"), [(0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (0.76, 4), (1.0, 4), (1e-9, 1)])
def test_the_mass_is_reached_and_not_passed(mass: float, kept: int) -> None:
    found = adjusted_logits(torch.zeros(2, 4), SamplingOptions(top_p=mass))
    assert (found > -torch.inf).sum(1).tolist() == [kept, kept]


@pytest.mark.parametrize("number", range(1, 7))
def test_as_many_as_are_asked_for_or_all_there_are(number: int) -> None:
    logits = torch.tensor([[0.0, 4.0, 1.0, 3.0], [9.0, 8.0, 7.0, 6.0]])
    found = adjusted_logits(logits, SamplingOptions(top_k=number))
    assert (found > -torch.inf).sum(1).tolist() == [min(number, 4)] * 2
    possible = found > -torch.inf
    assert float(logits[possible].sum()) == float(logits.topk(min(number, 4)).values.sum())


def test_seeds_of_different_numbers_differ_and_their_order_counts() -> None:
    seeds = [seed_of(*parts) for parts in ((1,), (2,), (1, 0), (1, 1), (1, 2), (2, 1), (1, 2, 3))]
    assert len(set(seeds)) >= 6  # (1,) and (1, 0) may be one
    assert len({seed_of(1, number) for number in range(1000)}) == 1000
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seed_of(1, 2) == seed_of(1, 2)
