"""Laws of translation models as graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.errors import UsageError
from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop_tasks.mt.export import graphs
from lstmdrop_tasks.mt.translate import translate

pytestmark = pytest.mark.usefixtures("symbolic_sizes")
Build = Callable[..., Any]
ARCHITECTURES = pytest.mark.parametrize("architecture", ["attention", "sequence", "stream"])


@ARCHITECTURES
@pytest.mark.parametrize("backwards", ["true", "false"])
def test_encoder_and_steps_give_the_log_probs_of_teacher_forcing(
    build_mt: Build, architecture: str, backwards: str
) -> None:
    task = build_mt(f"model.architecture={architecture}", "model.num_layers=2", f"model.reverse_source={backwards}")
    task.model.eval()
    parts = graphs(task)
    numbers = np.array([0])
    batch = task.pairs("test").batch(numbers, task.device)
    state = parts["encoder"].module(batch.source)
    log_probs = []
    for token, target in zip(batch.inputs[:, 0], batch.targets[:, 0], strict=True):
        found = parts["decoder"].module(token[None], *state)
        log_probs.append(float(found[0][0, target]))
        changed = found[len(found) - (3 if architecture == "attention" else 2) :]
        state = (*changed, *state[len(changed) :])
    lengths = task.pairs("test").target.lengths
    assert log_probs == pytest.approx(task.log_probs("test")[: lengths[0]].tolist(), abs=1e-5)


@pytest.mark.slow
def test_a_greedy_search_over_the_files_translates_as_the_model_does(build_mt: Build, tmp_path: Path) -> None:
    import onnxruntime

    task = build_mt()
    task.model.eval()
    with torch.no_grad():
        for weight in task.model.parameters():  # or a random model says one word for ever
            weight.normal_(generator=torch.Generator().manual_seed(len(weight)))
        task.model.decoder.softmax.bias[task.tokenizers.target.eos] -= 5
    sessions = {}
    for name, graph in graphs(task).items():
        write_onnx(graph, tmp_path / f"{name}.onnx")
        sessions[name] = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
    line, eos = "one red house", task.tokenizers.target.eos
    ((expected,),) = translate([task], [line], BeamSettings(beam_size=1), batch_size=1)
    source = np.array([*task.tokenizers.source.encode(line), task.tokenizers.source.eos])[:, None]
    encoded = sessions["encoder"].run(None, {"source": source})
    state = dict(zip(("hidden", "cell", "feed", "values", "keys"), encoded, strict=True))
    token, found = eos, []
    for _ in range(len(expected.tokens)):
        log_probs, _, *after = sessions["decoder"].run(None, {"tokens": np.array([token]), **state})
        log_probs[0, task.tokenizers.target.unk] = -np.inf
        token = int(log_probs[0].argmax())
        found.append(token)
        state |= dict(zip(("hidden", "cell", "feed"), after, strict=True))
    assert found == list(expected.tokens)
    assert len(set(found)) > 1


def test_zoneouts_encoder_is_no_fixed_graph(build_mt: Build) -> None:
    with pytest.raises(UsageError, match="zoneout"):
        graphs(build_mt("regularizer.rule=zoneout"))
