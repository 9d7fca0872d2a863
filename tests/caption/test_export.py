"""Laws of captioners as graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop_tasks.caption.export import graphs

pytestmark = pytest.mark.usefixtures("symbolic_sizes")
Build = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["show-tell", "attend"])
def test_an_image_is_taken_in_and_written_about_as_by_the_network(
    build_caption: Build, tmp_path: Path, architecture: str
) -> None:
    task = build_caption(f"model.architecture={architecture}")
    task.model.eval()
    for name, graph in graphs(task).items():
        assert write_onnx(graph, tmp_path / f"{name}.onnx") < 1e-5


@pytest.mark.parametrize("architecture", ["show-tell", "attend"])
def test_the_encoder_takes_an_image_as_the_data_has_it(build_caption: Build, architecture: str) -> None:
    task = build_caption(f"model.architecture={architecture}")
    task.model.eval()
    batch = next(iter(task.data.whole_batches("test", task.tokenizer)))
    parts = graphs(task)
    assert [tuple(port.axes) for port in parts["encoder"].inputs] == [tuple(batch.images[:1].shape)]
    state = parts["encoder"].module(batch.images[:1])
    assert [tuple(port.axes) for port in parts["encoder"].outputs] == [tuple(part.shape) for part in state]
    log_probs, *_ = parts["decoder"].module(batch.inputs[0, :1], *state)
    first = int(batch.numbers[0])
    offset = task.data.captions("test", task.tokenizer).offsets[first]
    wanted = task.log_probs("test")[offset]
    assert float(log_probs[0, batch.targets[0, 0]]) == pytest.approx(float(wanted), abs=1e-5)
