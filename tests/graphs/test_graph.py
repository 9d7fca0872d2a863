"""Laws of graphs before they are written: their ports are what their modules take and give."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.errors import UsageError
from lstmdrop.graphs.graph import Graph, Port, decoding_graphs, require_whole_passes, runs_by_steps
from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.decoder import AttentionDecoder, PlainDecoder
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import RULE_NAMES, make_regularizer

WORDS, SIZE, LAYERS, FEATURES = 7, 4, 2, 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_port_draws_what_it_says_that_it_holds() -> None:
    numbers, tokens = Port("x", ["batch", 3, "time"]), Port("tokens", ["batch"], num_tokens=4)
    sizes = {"batch": 200, "time": 2}
    drawn = numbers.draw(sizes, seeded())
    assert (drawn.shape, str(drawn.dtype)) == ((200, 3, 2), f"torch.{numbers.dtype}")
    assert float(drawn.std()) == pytest.approx(1, abs=0.1)
    ids = tokens.draw(sizes, seeded())
    assert str(ids.dtype) == f"torch.{tokens.dtype}"
    assert set(ids.tolist()) == {0, 1, 2, 3}
    assert json.loads(json.dumps(numbers.described())) == {
        "name": "x",
        "axes": ["batch", 3, "time"],
        "dtype": "float32",
    }


def test_after_a_step_a_port_is_the_same_under_another_name() -> None:
    port = Port("hidden", [2, "batch", 4], num_tokens=9)
    assert (port.after().name, port.after().axes, port.after().num_tokens) == ("next_hidden", port.axes, 9)


def test_a_graphs_inputs_are_random_and_the_same_for_a_seed() -> None:
    graph = Graph(nn.Identity(), [Port("a", ["n", 3]), Port("b", ["n", "m"]), Port("c", [2])], [Port("d", ["n", "k"])])
    assert graph.free_axes == ["n", "m"]  # each once, those of the inputs alone
    sizes = {"n": 4, "m": 6}
    one, again, other = graph.draw(sizes, 1), graph.draw(sizes, 1), graph.draw(sizes, 2)
    assert [tuple(value.shape) for value in one] == [(4, 3), (4, 6), (2,)]
    for first, same, another in zip(one, again, other, strict=True):
        assert torch.equal(first, same)
        assert not torch.equal(first, another)
    assert not torch.equal(one[0][:, 0], one[1][:, 0])
    assert [port["name"] for port in graph.described()["inputs"]] == ["a", "b", "c"]
    assert [port["name"] for port in graph.described()["outputs"]] == ["d"]


class Reader(nn.Module):
    """Makes a decoder's state of an image or sentence of ``places`` rows of features."""

    def __init__(self, *, attends: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        rule = make_regularizer("zaremba", 0.5)
        self.attends = attends
        self.first = nn.Linear(FEATURES, 2 * LAYERS * SIZE)
        self.decoder: Any = (
            AttentionDecoder(WORDS, 3, SIZE, LAYERS, FEATURES, rule)
            if attends
            else PlainDecoder(WORDS, 3, RegularizedLSTM(3, SIZE, LAYERS, rule))
        )

    def encode(self, source: Tensor) -> Any:
        state = LSTMState(*self.first(source.mean(1)).view(1, 2, LAYERS, SIZE).permute(1, 2, 0, 3).tanh())
        return self.decoder.start(state, self.decoder.attention.memory(source)) if self.attends else state


@pytest.mark.usefixtures("symbolic_sizes")
@pytest.mark.parametrize("attends", [True, False])
@pytest.mark.parametrize("hypotheses", [1, 3])
def test_both_graphs_one_after_the_other_are_the_decoder(attends: bool, hypotheses: int) -> None:
    reader = Reader(attends=attends).eval()
    graphs = decoding_graphs(reader, Port("source", [1, "places", FEATURES]), "places")
    assert list(graphs) == ["encoder", "decoder"]
    sizes = {"places": 6, "hypotheses": hypotheses}
    (source,) = graphs["encoder"].draw(sizes, 3)
    tokens = torch.randint(WORDS, (2, hypotheses), generator=seeded())
    with torch.no_grad():
        started = named(graphs["encoder"], graphs["encoder"].module(source), sizes)
        state, expected = reader.encode(source), []
        state = reader.decoder.select(state, torch.zeros(hypotheses, dtype=torch.long))
        for step in tokens:
            log_probs, attention, state = reader.decoder.step(step, state)
            expected.append((log_probs, attention))
        parts = {
            "hidden": started["hidden"].expand(-1, hypotheses, -1),
            "cell": started["cell"].expand(-1, hypotheses, -1),
        }
        if attends:
            parts["feed"] = started["feed"].expand(hypotheses, -1)
        for step, (log_probs, attention) in zip(tokens, expected, strict=True):
            given = {**started, **parts, "tokens": step}
            inputs = [given[port.name] for port in graphs["decoder"].inputs]
            found = named(graphs["decoder"], graphs["decoder"].module(*inputs), sizes)
            torch.testing.assert_close(found["log_probs"], log_probs)
            if attends:
                torch.testing.assert_close(found["attention"], attention)
            parts = {name: found[f"next_{name}"] for name in parts}
    assert ("attention" in found) == attends


def named(graph: Graph, outputs: tuple[Tensor, ...], sizes: dict[str, int]) -> dict[str, Tensor]:
    """By the names of the ports, whose shapes and formats they have."""
    for port, value in zip(graph.outputs, outputs, strict=True):
        assert tuple(value.shape) == tuple(axis if isinstance(axis, int) else sizes[axis] for axis in port.axes)
        assert str(value.dtype) == f"torch.{port.dtype}"
    return dict(zip((port.name for port in graph.outputs), outputs, strict=True))


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_only_what_takes_its_steps_one_by_one_is_no_graph_of_any_length(rule: str) -> None:
    made = make_regularizer(rule, 0.5)
    deep = nn.Sequential(nn.Linear(2, 2), BidirectionalLSTM(2, 2, 1, made))
    for network in (RegularizedLSTM(2, 2, 1, made), deep):
        assert runs_by_steps(network) == (rule == "zoneout")
        if rule == "zoneout":
            with pytest.raises(UsageError, match="under zoneout the steps are taken one by one"):
                require_whole_passes(network)
        else:
            require_whole_passes(network)
    assert not runs_by_steps(nn.LSTM(2, 2))
