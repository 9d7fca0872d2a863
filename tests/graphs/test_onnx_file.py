"""Laws of writing a graph: nothing that computes something else gets out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.errors import LstmdropError, MissingPartError
from lstmdrop.graphs import onnx_file
from lstmdrop.graphs.graph import Graph, Port
from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import make_regularizer

pytestmark = pytest.mark.usefixtures("symbolic_sizes")


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.lstm = RegularizedLSTM(5, 4, 2, make_regularizer("zaremba", 0.5))

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        outputs, after = self.lstm(inputs, LSTMState(hidden, cell))
        return outputs, *after


@pytest.fixture
def graph() -> Graph:
    state = [Port("hidden", [2, "batch", 4]), Port("cell", [2, "batch", 4])]
    inputs, outputs = Port("inputs", ["steps", "batch", 5]), Port("outputs", ["steps", "batch", 4])
    return Graph(Stack().eval(), [inputs, *state], [outputs, *(port.after() for port in state)])


def test_a_layer_is_one_operator_over_any_number_of_steps(graph: Graph, tmp_path: Path) -> None:
    import onnx

    assert write_onnx(graph, tmp_path / "stack.onnx") < 1e-6
    written = onnx.load(tmp_path / "stack.onnx").graph
    assert [node.op_type for node in written.node].count("LSTM") == 2
    assert [port.name for port in written.output] == ["outputs", "next_hidden", "next_cell"]
    assert [axis.dim_param for axis in written.input[0].type.tensor_type.shape.dim] == ["steps", "batch", ""]


def test_a_graph_that_computes_something_else_is_an_error(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = onnx_file._lstm

    def confused(inputs: Any, hidden: Any, cell: Any, *weights: Any) -> Any:
        return right(inputs, cell, hidden, *weights)

    monkeypatch.setattr(onnx_file, "_lstm", confused)
    with pytest.raises(LstmdropError, match=r"stack\.onnx computes something else: a number differs by"):
        write_onnx(graph, tmp_path / "stack.onnx")


@pytest.mark.parametrize("part", ["onnxscript", "onnxruntime"])
def test_a_missing_part_is_named_with_the_line_that_installs_it(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setitem(sys.modules, part, None)
    with pytest.raises(MissingPartError, match=r"pip install 'lstmdrop\[export\]'"):
        write_onnx(graph, tmp_path / "stack.onnx")
