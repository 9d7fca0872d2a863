"""Graphs as ONNX files, each held against the network that it was made of."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmdrop.errors import LstmdropError, loading
from lstmdrop.graphs.graph import Graph
from lstmdrop.nn.kernel import OPERATOR

TOLERANCE = 1e-4
"""The largest difference in any number that rounding in another order explains."""
EXAMPLE_SIZE = 50
"""Of the shortest open axis while a graph is made: a size of 1, even of an axis in strides, would be meant for ever."""


def write_onnx(graph: Graph, path: Path) -> float:
    """Write a graph, run it with ONNX Runtime on random inputs of other sizes, and give the largest difference.

    Raises:
        MissingPartError: the optional libraries are not installed.
        LstmdropError: what was written does not compute what the network does.
    """
    require_onnx()
    with _silence():
        made = torch.onnx.export(
            _exported(graph),
            dynamo=True,
            verbose=False,
            input_names=[port.name for port in graph.inputs],
            output_names=[port.name for port in graph.outputs],
            custom_translation_table={OPERATOR: _lstm},
        )
        assert made is not None
        if hasattr(made, "rename_axes"):  # older exporters leave the names that they made up
            made.rename_axes(_names_of_axes(graph, made.model.graph.inputs))
        _forget_origins(made.model)
        made.save(path)
    difference = max(_difference(graph, path, sizes) for sizes in _other_sizes(graph))
    if not difference <= TOLERANCE:
        raise LstmdropError(f"{path} computes something else: a number differs by {difference:.2g}")
    return difference


def require_onnx() -> None:
    """Check that the optional libraries are there.

    Raises:
        MissingPartError: one is not, or does not load.
    """
    with loading("export needs ONNX", "pip install 'lstmdrop[export]'"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


def _exported(graph: Graph) -> torch.export.ExportedProgram:
    sizes = {axis: EXAMPLE_SIZE + number for number, axis in enumerate(graph.free_axes)}
    any_size = torch.export.Dim.AUTO  # a named one would have to be so large that no size derived from it is 1
    shapes = tuple(
        {place: any_size for place, axis in enumerate(port.axes) if isinstance(axis, str)} for port in graph.inputs
    )
    with torch.no_grad():
        inputs = graph.draw(sizes, seed=0)
        return torch.export.export(
            _Listed(graph.module),
            inputs,
            dynamic_shapes=(shapes,),
            strict=False,
        )


class _Listed(torch.nn.Module):
    """Takes its inputs as a list, whatever the module calls them: so are their axes described."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = self.module(*inputs)
        return outputs


def _names_of_axes(graph: Graph, values: Sequence[Any]) -> dict[Any, str]:
    """Ours for those that the exporter made up, so that whoever opens the file can read them."""
    return {
        value.shape[place]: axis
        for port, value in zip(graph.inputs, values, strict=True)
        for place, axis in enumerate(port.axes)
        if isinstance(axis, str)
    }


def _forget_origins(model: Any) -> None:
    """Drop what the exporter notes of each node: whose file, on which machine, it came from."""
    for part in (model.graph, *model.functions.values()):
        part.metadata_props.clear()
        for node in part.all_nodes():
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()


def _other_sizes(graph: Graph) -> Iterator[Mapping[str, int]]:
    """All ones, and others than the example's."""
    yield dict.fromkeys(graph.free_axes, 1)
    yield {axis: 7 + 2 * number for number, axis in enumerate(reversed(graph.free_axes))}


def _difference(graph: Graph, path: Path, sizes: Mapping[str, int]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = graph.draw(sizes, seed=1)
    with torch.no_grad():
        wanted = graph.module(*inputs)
    named = {port.name: value.numpy() for port, value in zip(graph.inputs, inputs, strict=True)}
    found = session.run([port.name for port in graph.outputs], named)
    return max(_apart(np.asarray(got), want.numpy()) for got, want in zip(found, wanted, strict=True))


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference of two arrays; infinite where they are not alike in shape, or hold NaN."""
    if first.shape != second.shape:
        return np.inf
    return float(np.nan_to_num(np.abs(first - second), nan=np.inf).max())


def _lstm(
    inputs: Any, hidden: Any, cell: Any, input_weight: Any, recurrent_weight: Any, input_bias: Any, recurrent_bias: Any
) -> tuple[Any, Any, Any]:
    """`lstmdrop.nn.kernel.lstm_layer` as ONNX's LSTM, which has the gates in the order i, o, f, c."""
    from onnxscript import opset20

    op: Any = opset20

    def reordered(weights: Any) -> Any:
        i, f, g, o = op.Split(weights, axis=0, num_outputs=4)
        return op.Unsqueeze(op.Concat(i, o, f, g, axis=0), op.Constant(value_ints=[0]))

    first, second = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
    biases = op.Concat(reordered(input_bias), reordered(recurrent_bias), axis=1)
    outputs, last_hidden, last_cell = op.LSTM(
        inputs, reordered(input_weight), reordered(recurrent_weight), biases, None,
        op.Unsqueeze(hidden, first), op.Unsqueeze(cell, first), hidden_size=recurrent_weight.shape[1],
    )  # fmt: skip
    return op.Squeeze(outputs, second), op.Squeeze(last_hidden, first), op.Squeeze(last_cell, first)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without the exporter's remarks on itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
