"""Laws of the mean of weights: what is in it, where it is seen, and that training never notices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.training.optimizer import WeightAverage


def network() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(3, 2).double()


def values(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def wander(module: nn.Module) -> list[Tensor]:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    return values(module)


def test_the_mean_counts_every_addition_alike() -> None:
    module = network()
    average = WeightAverage(list(module.parameters()))
    places = []
    for number in range(1, 6):
        places.append(wander(module))
        average.add()
        assert average.count == number
        with average.applied():
            for found, parts in zip(values(module), zip(*places, strict=True), strict=True):
                torch.testing.assert_close(found, torch.stack(parts).mean(0), atol=1e-12, rtol=0)


def test_outside_the_block_the_weights_are_back_even_after_an_error() -> None:
    module = network()
    average = WeightAverage(list(module.parameters()))
    average.add()
    here = wander(module)
    places = [parameter.data_ptr() for parameter in module.parameters()]

    def fail() -> None:
        with average.applied():
            assert not torch.equal(module.weight, here[0])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert all(torch.equal(one, other) for one, other in zip(values(module), here, strict=True))
    assert [parameter.data_ptr() for parameter in module.parameters()] == places


def test_before_anything_is_added_the_weights_are_their_own_mean() -> None:
    module = network()
    before = values(module)
    average = WeightAverage(list(module.parameters()))
    with average.applied():
        assert all(torch.equal(one, other) for one, other in zip(values(module), before, strict=True))


def test_the_mean_does_not_follow_weights_that_move_on() -> None:
    module = network()
    average = WeightAverage(list(module.parameters()))
    average.add()
    first = [mean.clone() for mean in average.means]
    wander(module)
    assert all(torch.equal(one, other) for one, other in zip(average.means, first, strict=True))
    with average.applied():
        pass
    assert all(torch.equal(one, other) for one, other in zip(average.means, first, strict=True))


@pytest.mark.parametrize("additions", [0, 1, 3])
def test_a_mean_that_is_put_back_goes_on_as_if_it_had_never_left(additions: int) -> None:
    one, other = network(), network()
    average, resumed = WeightAverage(list(one.parameters())), WeightAverage(list(other.parameters()))
    for _ in range(additions):
        wander(one)
        average.add()
    resumed.load_state_dict({name: value.clone() for name, value in average.state_dict().items()})
    assert resumed.count == additions
    for each in (average, resumed):
        with torch.no_grad():
            for number, parameter in enumerate(each.parameters):
                parameter.fill_(float(number))
        each.add()
    for mean, expected in zip(resumed.means, average.means, strict=True):
        assert torch.equal(mean, expected)
    assert len(resumed.means) == 2
