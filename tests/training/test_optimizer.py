"""Laws of the optimisers and of the clipping before them, each step beside the one worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.config import TrainingConfig
from lstmdrop.training.optimizer import load_optimizer_tensors, make_optimizer, optimizer_tensors, scale_and_clip


def gradients() -> list[Tensor]:
    return [torch.tensor([3.0, 0.0]), torch.tensor([[4.0], [12.0]])]  # of the joint norm 13


@pytest.mark.parametrize("divisor", [1, 4])
@pytest.mark.parametrize("largest", [0.5, 3.0, 13.5, 1e9])
def test_summed_gradients_are_divided_and_then_clipped_by_their_joint_norm(divisor: int, largest: float) -> None:
    found, expected = gradients(), [nn.Parameter(torch.zeros_like(each)) for each in gradients()]
    for parameter, gradient in zip(expected, gradients(), strict=True):
        parameter.grad = gradient / divisor
    norm = scale_and_clip(found, torch._foreach_norm(found), divisor, largest)
    assert float(norm) == pytest.approx(13 / divisor)
    assert float(nn.utils.clip_grad_norm_(expected, largest)) == pytest.approx(13 / divisor)
    for gradient, parameter in zip(found, expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(gradient, parameter.grad)
    joint = math.sqrt(sum(float(each.square().sum()) for each in found))
    assert joint == pytest.approx(min(13 / divisor, largest), rel=1e-5)


def test_gradients_of_nothing_stay_nothing() -> None:
    found = [torch.zeros(3)]
    assert float(scale_and_clip(found, torch._foreach_norm(found), 2, 1.0)) == 0
    assert torch.equal(found[0], torch.zeros(3))


def config(**settings: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(settings)


def slope(parameter: Tensor, step: int) -> Tensor:
    return torch.tensor([1.0, -2.0], dtype=torch.float64) * step + 0.1 * parameter.detach()


def taken(settings: TrainingConfig, steps: int = 3) -> list[Tensor]:
    """Where the weights are after each step."""
    parameter = nn.Parameter(torch.tensor([0.5, -1.0], dtype=torch.float64))
    optimizer = make_optimizer(settings, iter([parameter]))
    places = []
    for step in range(1, steps + 1):
        parameter.grad = slope(parameter, step)
        optimizer.step()
        places.append(parameter.detach().clone())
    return places


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_goes_down_the_gradient_without_momentum(decay: float) -> None:
    place = torch.tensor([0.5, -1.0], dtype=torch.float64)
    for step, found in enumerate(taken(config(optimizer="sgd", rate=0.2, weight_decay=decay)), 1):
        place = place - 0.2 * (slope(place, step) + decay * place)
        torch.testing.assert_close(found, place)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_its_equations_with_decoupled_decay(decay: float) -> None:
    """Loshchilov & Hutter 2019, algorithm 2."""
    place = torch.tensor([0.5, -1.0], dtype=torch.float64)
    mean, square = torch.zeros(2).double(), torch.zeros(2).double()
    for step, found in enumerate(taken(config(optimizer="adamw", rate=0.2, weight_decay=decay)), 1):
        gradient = slope(place, step)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        update = (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        place = place - 0.2 * update - 0.2 * decay * place
        torch.testing.assert_close(found, place, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_an_optimiser_that_is_given_anothers_memory_goes_on_as_that_one(kind: str) -> None:
    settings = config(optimizer=kind, rate=0.1, weight_decay=0.01)

    def start() -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
        torch.manual_seed(1)
        parameters = [nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(2, 2))]
        return parameters, make_optimizer(settings, parameters)

    def step(parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer, number: int) -> None:
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, float(number)) + parameter.detach()
        optimizer.step()

    whole, optimizer = start()
    for number in (1, 2):
        step(whole, optimizer, number)
    memory = {name: value.clone() for name, value in optimizer_tensors(optimizer).items()}
    copies = [parameter.detach().clone() for parameter in whole]
    step(whole, optimizer, 3)
    resumed, other = start()
    step(resumed, other, 7)  # what it remembers of its own is forgotten
    for parameter, copied in zip(resumed, copies, strict=True):
        parameter.data.copy_(copied)
    load_optimizer_tensors(other, memory)
    assert optimizer_tensors(other).keys() == memory.keys()
    step(resumed, other, 3)
    for one, expected in zip(resumed, whole, strict=True):
        assert torch.equal(one, expected)


def test_adamws_memory_is_named_by_parameter_and_quantity() -> None:
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    optimizer = make_optimizer(config(optimizer="adamw"), parameters)
    assert optimizer_tensors(optimizer) == {}
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    names = {f"{number}.{name}" for number in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    assert optimizer_tensors(optimizer).keys() == names
    assert optimizer_tensors(optimizer)["1.exp_avg"].shape == (3,)
