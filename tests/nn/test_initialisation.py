"""Laws of how parameters start: where they lie, what they depend on, what is zero."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.nn.linear import draw_by_width, draw_uniform


class Network(nn.Module):
    """An embedding, an LSTM and a softmax, which may share the embedding's matrix."""

    def __init__(self, *, tied: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(400, 30)
        self.lstm = nn.LSTM(30, 30)
        self.softmax = nn.Linear(30, 400)
        if tied:
            self.softmax.weight = self.embedding.weight


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_fills(values: Tensor, bound: float) -> None:
    """Uniform on (-bound, bound): by its ends, its mean and its variance."""
    assert float(values.abs().max()) <= bound
    assert float(values.min()) < -0.97 * bound
    assert float(values.max()) > 0.97 * bound
    assert float(values.mean()) == pytest.approx(0, abs=4 * bound / math.sqrt(3 * values.numel()))
    assert float(values.var()) == pytest.approx(bound**2 / 3, rel=0.1)


@pytest.mark.parametrize("bound", [0.1, 0.05, 2.0])
def test_every_parameter_fills_the_papers_interval_biases_too(bound: float) -> None:
    network = Network()
    draw_uniform(network, bound, seeded())
    for values in network.parameters():
        assert float(values.detach().abs().max()) <= bound
    for values in (network.embedding.weight, network.lstm.weight_hh_l0, network.softmax.weight, network.softmax.bias):
        assert_fills(values.detach(), bound)


@pytest.mark.parametrize("draw", [lambda *given: draw_uniform(given[0], 0.3, given[1]), draw_by_width])
def test_weights_depend_on_the_generator_alone_and_keep_asking_for_gradients(draw: object) -> None:
    def drawn(seed: int, noise: int) -> list[Tensor]:
        torch.manual_seed(noise)
        network = Network()
        draw(network, seeded(seed))  # type: ignore[operator]
        assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())
        return list(network.parameters())

    first, again, other = drawn(1, noise=5), drawn(1, noise=6), drawn(2, noise=5)
    for one, same, another in zip(first, again, other, strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, another) or not one.any()  # biases that are zero are zero under any seed


def test_no_two_parameters_start_alike() -> None:
    network = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)])
    for draw in (lambda: draw_uniform(network, 0.1, seeded()), lambda: draw_by_width(network, seeded())):
        draw()
        one, other = network.parameters()
        assert not torch.equal(one, other)


def test_matrices_have_the_variance_of_one_over_their_inputs_and_biases_are_zero() -> None:
    network = nn.Sequential(nn.Linear(300, 40), nn.Linear(40, 300))
    draw_by_width(network, seeded())
    wide, narrow = network
    assert_fills(wide.weight.detach(), math.sqrt(3 / 300))
    assert_fills(narrow.weight.detach(), math.sqrt(3 / 40))
    assert not wide.bias.any()
    assert not narrow.bias.any()


@pytest.mark.parametrize("tied", [False, True])
def test_an_embedding_has_one_input_unless_it_is_the_softmaxs_matrix_too(tied: bool) -> None:
    network = Network(tied=tied)
    draw_by_width(network, seeded())
    assert_fills(network.embedding.weight.detach(), math.sqrt(3 / 30) if tied else math.sqrt(3))
    assert_fills(network.softmax.weight.detach(), math.sqrt(3 / 30))
    assert_fills(network.lstm.weight_ih_l0.detach(), math.sqrt(3 / 30))


def test_a_signal_keeps_its_size_through_many_layers() -> None:
    layers = nn.Sequential(*(nn.Linear(200, 200) for _ in range(12)))
    draw_by_width(layers, seeded())
    signal = torch.randn(50, 200, generator=seeded(2))
    assert float(layers(signal).detach().std()) == pytest.approx(float(signal.std()), rel=0.4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_parameters_keep_their_number_format(dtype: torch.dtype) -> None:
    network = Network().to(dtype)
    draw_uniform(network, 0.1, seeded())
    assert {parameter.dtype for parameter in network.parameters()} == {dtype}
    assert bool(network.softmax.weight.any())
