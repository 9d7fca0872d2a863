"""The language model's switches, each held against a plain computation of its own."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop.nn.rules import make_regularizer
from lstmdrop_tasks.lm.config import LMModelConfig
from lstmdrop_tasks.lm.model import LanguageModel, Penalties, StreamLoss

VOCABULARY = 11


def build(
    rule: str = "none", rates: dict[str, float] | None = None, words: float = 0.0, **network: Any
) -> LanguageModel:
    config = LMModelConfig(num_layers=2, hidden_size=6, init_bound=0.5, **network)
    generator = torch.Generator().manual_seed(5)
    model = LanguageModel(config, VOCABULARY, make_regularizer(rule, **(rates or {})), generator, words)
    return model.double()


def tokens(num_steps: int = 7, batch_size: int = 3) -> Tensor:
    return torch.randint(VOCABULARY, (num_steps, batch_size), generator=torch.Generator().manual_seed(1))


NETWORKS = [{}, {"embedding_size": 4}, {"tied": True}, {"tied": True, "embedding_size": 4}, {"embedding_size": 9}]


@pytest.mark.parametrize("network", [*NETWORKS, {"tied": True, "embedding_size": 9}])
def test_the_network_is_layers_of_the_librarys_lstm(network: dict[str, Any]) -> None:
    model = build(**network).eval()
    width = network.get("embedding_size", 6)
    values: Tensor = model.embedding(tokens())
    assert values.shape[-1] == width
    for layer in model.lstm.layers:
        assert isinstance(layer, nn.LSTM)
        values, _ = layer(values)
    expected = F.linear(values, model.softmax.weight, model.softmax.bias)
    features, _ = model.features(tokens())
    torch.testing.assert_close(model.softmax(features), expected)


@pytest.mark.parametrize("network", [{"tied": True}, {"tied": True, "embedding_size": 4}])
def test_a_tied_matrix_is_one_with_both_gradients(network: dict[str, Any]) -> None:
    tied, apart = build(**network), build(**network)
    assert tied.softmax.weight is tied.embedding.weight
    apart.softmax.weight = nn.Parameter(apart.softmax.weight.detach().clone())
    for model in (tied, apart):
        model.loss(tokens(), tokens().roll(1, 0))[0].backward()
    assert apart.embedding.weight.grad is not None
    assert apart.softmax.weight.grad is not None
    both = apart.embedding.weight.grad + apart.softmax.weight.grad
    torch.testing.assert_close(tied.embedding.weight.grad, both)


@pytest.mark.parametrize("rule", ["zaremba", "zoneout", "variational"])
def test_two_halves_with_a_narrow_top_layer_are_the_whole(rule: str) -> None:
    model = build(rule, {"dropout": 0.3}, tied=True, embedding_size=4).eval()
    whole, last = model.features(tokens())
    first, state = model.features(tokens()[:3])
    second, end = model.features(tokens()[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for part, expected in zip(end, last, strict=True):
        torch.testing.assert_close(part, expected)
        assert part.shape == (2, 3, 6)
        assert not part[1, :, 4:].any()  # filled up


def test_steps_one_by_one_with_a_narrow_top_layer_are_the_whole() -> None:
    model = build(tied=True, embedding_size=4).eval()
    values = model.embedding(tokens())
    whole, last = model.lstm(values)
    steps, state = model.lstm.unrolled(7, 3), model.lstm.initial_state(3)
    outputs = []
    for t in range(7):
        output, state = steps.step(t, values[t], state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs), whole)
    torch.testing.assert_close(state.cell, last.cell)


def test_a_word_is_left_out_of_the_whole_window_or_nowhere() -> None:
    model = build(words=0.5).train()
    torch.manual_seed(0)
    seen = model._embedded(tokens(40))
    plain = model.embedding(tokens(40))
    for word in range(VOCABULARY):
        here = tokens(40) == word
        kept = [bool((seen[here] == 2 * plain[here]).all()), bool((seen[here] == 0).all())]
        assert sorted(kept) == [False, True]
    assert torch.equal(model.eval()._embedded(tokens(40)), plain)


@pytest.mark.parametrize("place", ["input", "output"])
@torch.no_grad()
def test_a_place_has_a_rate_of_its_own(place: str) -> None:
    """All but nothing is dropped there, and nothing elsewhere."""
    model = build("zaremba", {"dropout": 0.0, place: 0.999}).train()
    torch.manual_seed(0)
    outputs, _ = model.lstm.undropped(model.embedding(tokens()))
    dropped = model.lstm.drop_output(outputs)
    silent, _ = build().eval().lstm(torch.zeros(7, 3, 6, dtype=torch.float64))
    if place == "output":
        assert float((dropped == 0).double().mean()) > 0.9
        torch.testing.assert_close(outputs, model.eval().lstm(model.embedding(tokens()))[0])
    else:
        assert torch.equal(dropped, outputs)
        assert float((outputs - silent).abs().median()) < 1e-12


def test_penalties_are_those_of_their_equations() -> None:
    model = build("zaremba", {"dropout": 0.4}).train()
    targets = tokens().roll(1, 0)
    torch.manual_seed(3)
    total, plain, _ = model.loss(tokens(), targets, penalties=Penalties(2.0, 3.0))
    torch.manual_seed(3)
    outputs, _ = model.lstm.undropped(model.embedding(tokens()))
    dropped = model.lstm.drop_output(outputs)
    likelihood = F.cross_entropy(model.softmax(dropped).flatten(0, 1), targets.flatten(), reduction="sum")
    activation = sum(value**2 for value in dropped.flatten().tolist()) / dropped.numel()
    change = (outputs[1:] - outputs[:-1]).flatten().tolist()
    slowness = sum(value**2 for value in change) / len(change)
    assert plain is not None
    assert plain.item() == pytest.approx(likelihood.item())
    expected = likelihood.item() + targets.numel() * (2 * activation + 3 * slowness)
    assert total.item() == pytest.approx(expected, rel=1e-6)


def test_a_window_of_one_step_has_no_change_to_punish() -> None:
    model = build().train()
    total, plain, _ = model.loss(tokens(1), tokens(1), penalties=Penalties(0.0, 5.0))
    assert total.item() == pytest.approx(float((plain or total).detach()))


def test_the_logged_loss_is_the_likelihood_alone() -> None:
    model = build().train()
    window = Window(tokens(), tokens().roll(1, 0), 0)
    loss, bare = StreamLoss(model, Penalties(1.0, 1.0))(window), StreamLoss(model)(window)
    assert loss.plain is not None
    assert loss.plain.item() == pytest.approx(bare.total.item())
    assert loss.total.item() > bare.total.item()
    assert bare.plain is None


def test_xavier_draws_each_matrix_by_its_sizes() -> None:
    model = build(initialisation="xavier", embedding_size=4)
    first, second = model.lstm.layers
    for matrix, inputs in [(first.weight_ih_l0, 4), (first.weight_hh_l0, 6), (second.weight_ih_l0, 6)]:
        bound = math.sqrt(6 / (inputs + 6))  # a gate has six units
        assert 0.9 * bound < float(matrix.detach().abs().max()) <= bound
    assert float(model.softmax.weight.detach().abs().max()) <= math.sqrt(6 / (6 + VOCABULARY))
    assert 0.45 < float(model.embedding.weight.detach().abs().max()) <= 0.5
    assert not model.softmax.bias.detach().any()


@pytest.mark.parametrize("initialisation", ["uniform", "xavier"])
def test_the_forget_gates_begin_with_their_bias(initialisation: str) -> None:
    plain, biased = build(initialisation=initialisation), build(initialisation=initialisation, forget_bias=1.5)
    for layer, other in zip(biased.lstm.layers, plain.lstm.layers, strict=True):
        together = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
        expected = (other.bias_ih_l0 + other.bias_hh_l0).detach()
        expected[6:12] = 1.5  # the gates stand in the order i, f, g, o
        torch.testing.assert_close(together, expected)
        assert torch.equal(layer.weight_hh_l0, other.weight_hh_l0)
