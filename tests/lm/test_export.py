"""Laws of language models as graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop_tasks.lm.export import graphs

pytestmark = pytest.mark.usefixtures("symbolic_sizes")
Build = Callable[..., Any]


def test_under_zoneout_a_graph_takes_one_token_at_a_time(build_lm: Build, tmp_path: Path) -> None:
    task = build_lm("regularizer.rule=zoneout", "regularizer.dropout=0.3")
    task.model.eval()
    graph = graphs(task)["model"]
    assert graph.inputs[0].axes == [1, "batch"]
    assert write_onnx(graph, tmp_path / "model.onnx") < 1e-5


def test_a_graph_carries_its_state_from_call_to_call(build_lm: Build) -> None:
    task = build_lm()
    task.model.eval()
    graph = graphs(task)["model"]
    tokens, hidden, cell = graph.draw({"steps": 6, "batch": 2}, seed=1)
    whole, *_ = graph.module(tokens, hidden, cell)
    first, *state = graph.module(tokens[:4], hidden, cell)
    second, *_ = graph.module(tokens[4:], *state)
    assert (whole[:4] - first).abs().max() < 1e-6
    assert (whole[4:] - second).abs().max() < 1e-6
