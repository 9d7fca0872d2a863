"""Softmaxes for large vocabularies against their formulas and the plain one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.nn.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax, usual_cutoffs, usual_samples

pytestmark = pytest.mark.usefixtures("symbolic_sizes")  # where the tests' own checks of shapes are not

WORDS, SIZE, ITEMS = 30, 8, 12
COUNTS = torch.tensor([5, 0, 300, 40, 7, 7, 90, 1, 0, 22] * 3)


def problem(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(ITEMS, SIZE, dtype=dtype, generator=generator).requires_grad_()
    return features, torch.randint(WORDS, (ITEMS,), generator=generator)


def adaptive(cutoffs: tuple[int, ...] = (4, 11), reduction: float = 2.0) -> AdaptiveSoftmax:
    torch.manual_seed(1)
    softmax = AdaptiveSoftmax(SIZE, WORDS, cutoffs, reduction).double()
    softmax.take_counts(COUNTS)
    return softmax


def sampled(num_samples: int) -> SampledSoftmax:
    torch.manual_seed(1)
    softmax = SampledSoftmax(SIZE, WORDS, num_samples).double()
    softmax.take_counts(COUNTS)
    return softmax


def full_like(softmax: SampledSoftmax) -> FullSoftmax:
    full = FullSoftmax(SIZE, WORDS).double()
    full.load_state_dict({name: value for name, value in softmax.state_dict().items() if name != "shares"})
    return full


def gradients(softmax: nn.Module, loss: Tensor, features: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [features, *softmax.parameters()]))


def assert_mean_is(values: list[Tensor], expected: Tensor) -> None:
    """Within five standard errors."""
    drawn = torch.stack(values)
    error = drawn.std(0) / math.sqrt(len(values))
    assert bool(((drawn.mean(0) - expected).abs() <= 5 * error + 1e-12).all())


@pytest.mark.parametrize(("cutoffs", "reduction"), [((4, 11), 2.0), ((1,), 1.0), ((5, 10, 29), 2.0), ((29,), 8.0)])
def test_groups_give_what_the_librarys_softmax_gives_with_the_same_weights(
    cutoffs: tuple[int, ...], reduction: float
) -> None:
    ours = adaptive(cutoffs, reduction)
    theirs = nn.AdaptiveLogSoftmaxWithLoss(SIZE, WORDS, list(cutoffs), div_value=reduction, head_bias=True).double()
    with torch.no_grad():
        theirs.head.weight.copy_(ours.head.weight)
        theirs.head.bias.copy_(ours.head.bias)
        for tail, group in zip(ours.tails, theirs.tail, strict=True):
            tail.words.bias.zero_()  # which theirs does not have
            group[0].weight.copy_(tail.narrow.weight)
            group[1].weight.copy_(tail.words.weight)
    features, targets = problem()
    places = ours.places[targets]
    expected = theirs(features, places).output
    torch.testing.assert_close(ours.log_probs(features.detach(), targets), expected.detach())
    loss = ours.loss(features, targets).total
    torch.testing.assert_close(loss, -expected.sum())
    torch.testing.assert_close(ours(features), theirs.log_prob(features)[:, ours.places])
    mine, other = (torch.autograd.grad(value, features, retain_graph=True)[0] for value in (loss, -expected.sum()))
    torch.testing.assert_close(mine, other)
    torch.testing.assert_close(
        torch.autograd.grad(loss, ours.head.weight)[0], torch.autograd.grad(-expected.sum(), theirs.head.weight)[0]
    )


def test_the_words_of_all_groups_have_a_probability_of_one_together() -> None:
    features, _ = problem()
    softmax = adaptive()
    torch.testing.assert_close(softmax(features).exp().sum(-1), torch.ones(ITEMS, dtype=torch.float64))
    torch.testing.assert_close(softmax.logits(features), softmax(features).detach())
    assert not softmax.logits(features).requires_grad
    in_steps = features.view(3, 4, SIZE)  # as a graph for another runtime has them
    torch.testing.assert_close(softmax(in_steps).view(ITEMS, WORDS), softmax(features))


def test_the_loss_of_groups_has_the_gradients_of_its_formula() -> None:
    features, targets = problem()
    softmax = adaptive()
    loss, plain = softmax.loss(features, targets)
    formula = -softmax(features).gather(1, targets[:, None]).sum()
    assert plain is None
    torch.testing.assert_close(loss, formula)
    torch.testing.assert_close(softmax.log_probs(features, targets).sum(), -formula.detach())
    pairs = zip(gradients(softmax, loss, features), gradients(softmax, formula, features), strict=True)
    for mine, other in pairs:
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_group_of_which_there_is_no_word_has_a_gradient_of_zero(dtype: torch.dtype) -> None:
    """Not none: of several workers one may have words of it and another not, and Adam counts both."""
    softmax, (features, _) = adaptive().to(dtype), problem(dtype)
    frequent = torch.full((ITEMS,), 2)
    softmax.loss(features, frequent).total.backward()
    for tail in softmax.tails:
        assert all(part.grad is not None and not part.grad.any() for part in tail.parameters())
    assert softmax.log_probs(features.detach(), frequent).isfinite().all()


def test_frequent_words_stand_in_the_head() -> None:
    softmax = adaptive()
    order = softmax.places.argsort()
    assert COUNTS[order].tolist() == sorted(COUNTS.tolist(), reverse=True)
    assert softmax.places[[2, 12, 22, 6]].tolist() == [0, 1, 2, 3]  # equal ones in their own order
    again = AdaptiveSoftmax(SIZE, WORDS, (4, 11), 2.0).double()
    again.load_state_dict(softmax.state_dict())  # which has the order
    assert torch.equal(again(problem()[0]), softmax(problem()[0]))


@pytest.mark.parametrize("num_words", [2, 3, 17, 1545, 10_000, 10_009, 44_000, 250_000, 1_000_000])
def test_usual_sizes_fit_every_vocabulary(num_words: int) -> None:
    cutoffs = usual_cutoffs(num_words)
    assert list(cutoffs) == sorted(set(cutoffs))
    assert 1 <= cutoffs[0] <= max(1, num_words // 5)
    assert num_words / 2 <= num_words - cutoffs[-1] < num_words
    assert usual_samples(num_words) >= 8


def test_all_words_drawn_are_the_full_softmax() -> None:
    features, targets = problem()
    softmax = sampled(WORDS + 5)
    loss, plain = softmax.loss(features, targets)
    full = full_like(softmax)
    expected = full.loss(features, targets).total
    torch.testing.assert_close(loss, expected)
    assert plain is not None
    torch.testing.assert_close(plain, expected.detach())
    pairs = zip(gradients(softmax, loss, features), gradients(full, expected, features), strict=True)
    for mine, other in pairs:
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("num_samples", [1, 6, 29])
def test_the_sampled_loss_is_that_of_its_formula(num_samples: int) -> None:
    features, targets = problem()
    softmax = sampled(num_samples)
    torch.manual_seed(7)
    drawn, log_chances = softmax.draw()
    assert len(set(drawn.tolist())) == num_samples
    torch.manual_seed(7)
    loss = softmax.loss(features, targets).total
    logits = softmax(features)
    total = torch.zeros((), dtype=torch.float64)
    for row, target in zip(logits, targets.tolist(), strict=True):
        normaliser = row[target].exp()
        for word, log_chance in zip(drawn.tolist(), log_chances, strict=True):
            if word != target:
                normaliser = normaliser + row[word].exp() / log_chance.exp()
        total = total + normaliser.log() - row[target]
    torch.testing.assert_close(loss, total)
    pairs = zip(gradients(softmax, loss, features), gradients(softmax, total, features), strict=True)
    for mine, other in pairs:
        torch.testing.assert_close(mine, other)


def over_draws(make: Callable[[], Tensor], number: int) -> list[Tensor]:
    torch.manual_seed(3)
    return [make().detach() for _ in range(number)]


@pytest.mark.parametrize("num_samples", [3, 20])
def test_the_normaliser_is_unbiased(num_samples: int) -> None:
    features, targets = problem()
    softmax = sampled(num_samples)
    logits = softmax(features).detach()
    target_logits = logits.gather(1, targets[:, None])[:, 0]

    def chances() -> Tensor:
        """For each word one over its chance where it was drawn, zero elsewhere: one on average."""
        drawn, log_chances = softmax.draw()
        return torch.zeros(WORDS, dtype=torch.float64).index_put_((drawn,), (-log_chances).exp())

    assert_mean_is(over_draws(chances, 600), torch.ones(WORDS, dtype=torch.float64))

    def normaliser() -> Tensor:
        return (softmax.loss(features[:1], targets[:1]).total.detach() + target_logits[0]).exp()

    assert_mean_is(over_draws(normaliser, 600), logits[0].exp().sum())


def test_the_loss_that_is_logged_is_unbiased_and_that_which_is_trained_too_small() -> None:
    features, targets = problem()
    softmax = sampled(5)
    exact = full_like(softmax).loss(features, targets).total.detach()

    def both() -> Tensor:
        total, plain = softmax.loss(features, targets)
        assert plain is not None
        assert not plain.requires_grad
        return torch.stack([total.detach(), plain])

    found = torch.stack(over_draws(both, 300))
    assert_mean_is(list(found[:, 1]), exact)
    assert found[:, 0].mean() < exact


def test_the_gradient_comes_to_the_full_one_as_more_words_are_drawn() -> None:
    features, targets = problem()
    full = full_like(sampled(1))
    exact = gradients(full, full.loss(features, targets).total, features)[1]
    distances = []
    for num_samples in (2, 8, 25):
        softmax = sampled(num_samples)
        drawn = over_draws(
            lambda softmax=softmax: gradients(softmax, softmax.loss(features, targets).total, features)[1], 150
        )
        distances.append(float((torch.stack(drawn).mean(0) - exact).norm() / exact.norm()))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.02


def test_scores_are_those_of_the_full_softmax() -> None:
    features, targets = problem()
    softmax = sampled(3)
    full = full_like(softmax)
    torch.testing.assert_close(softmax.log_probs(features, targets), full.log_probs(features, targets))
    torch.testing.assert_close(softmax(features), full(features))
    assert torch.equal(softmax.eval().loss(features, targets).total, full.loss(features, targets).total)


def test_words_are_drawn_as_often_as_they_came() -> None:
    softmax = sampled(1)
    torch.testing.assert_close(softmax.shares, (COUNTS + 1).double() / (COUNTS + 1).sum())
    found = torch.zeros(WORDS, dtype=torch.float64)
    for drawn in over_draws(lambda: softmax.draw()[0], 1000):
        found[drawn] += 1 / 1000
    assert float((found - softmax.shares).abs().max()) < 0.05


def test_equal_random_states_draw_equal_words() -> None:
    features, targets = problem()
    softmax, other = sampled(5), copy.deepcopy(sampled(5))
    losses = []
    for one in (softmax, other):
        torch.manual_seed(11)
        losses.append(torch.stack([value.detach() for value in one.loss(features, targets) if value is not None]))
    assert torch.equal(*losses)
    assert not torch.equal(losses[0][0], softmax.loss(features, targets).total.detach())


@pytest.mark.parametrize("softmax", [adaptive(), sampled(5)])
def test_one_target_is_not_spread_over_all_rows(softmax: AdaptiveSoftmax | SampledSoftmax) -> None:
    features, targets = problem()
    with pytest.raises(ValueError, match=r"targets"):
        softmax.loss(features, targets[:1])


def test_under_autocast_the_loss_is_of_float32() -> None:
    features, targets = problem(torch.float32)
    for softmax in (adaptive().float(), sampled(20).float()):
        torch.manual_seed(0)
        plain = softmax.loss(features, targets).total
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, logged = softmax.loss(features.bfloat16(), targets)
        assert loss.dtype == torch.float32
        assert logged is None or logged.dtype == torch.float32
        torch.testing.assert_close(loss, plain, atol=0.5, rtol=0.02)
