"""Laws of acoustic models as graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop_tasks.asr.export import graphs

pytestmark = pytest.mark.usefixtures("symbolic_sizes")
Build = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_any_number_of_frames_is_stacked_as_in_training(
    build_asr: Build, tmp_path: Path, bidirectional: str, stride: int
) -> None:
    task = build_asr(
        "model.num_layers=2", "model.stack=3", f"model.stride={stride}", f"model.bidirectional={bidirectional}"
    )
    task.model.eval()
    (graph,) = graphs(task).values()
    assert write_onnx(graph, tmp_path / "model.onnx") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [["objective=ctc"], ["objective=frames"], ["objective=frames", "model.stack=3", "model.stride=3"]]
)
def test_a_graph_says_what_the_task_scores(build_asr: Build, tmp_path: Path, settings: list[str]) -> None:
    task = build_asr(*settings)
    task.model.eval()
    batch = task.plain_batch("test", np.array([0]))
    graph = graphs(task)["model"]
    (found,) = graph.module(batch.features)
    wanted = task.targets.log_probs(task.model(batch.features, batch.lengths))
    assert (found - wanted).abs().max() < 1e-6
    assert write_onnx(graph, tmp_path / "model.onnx") < 1e-5
