"""Laws of exporting a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmdrop import train
from lstmdrop.commands.export import export
from lstmdrop.errors import LstmdropError, UsageError
from lstmdrop.graphs import onnx_file
from lstmdrop.graphs.graph import Graph
from lstmdrop.graphs.onnx_file import write_onnx
from lstmdrop.plugin import load_plugin

pytestmark = pytest.mark.usefixtures("symbolic_sizes")
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def run(toy_corpus: Path, toy_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the language model."""
    out = tmp_path_factory.mktemp("exported") / "run"
    return train("lm", size="tiny", data=str(toy_corpus), overrides=toy_settings, out=out).directory


@pytest.mark.slow
def test_a_run_is_exported_with_all_that_its_use_needs(run: Path, lstmdrop: Command) -> None:
    import onnxruntime

    done = lstmdrop("export", "lm", "--run", str(run), "--json")
    assert done.code == 0
    (row,) = json.loads(done.output)
    assert row["path"] == str(run / "export" / "model.onnx")
    assert 0 <= row["largest_difference"] < 1e-5
    interface = json.loads((run / "export" / "interface.json").read_text())
    assert interface["graphs"]["model.onnx"] == {side: row[side] for side in ("inputs", "outputs")}
    session = onnxruntime.InferenceSession(row["path"])
    assert [port.name for port in session.get_inputs()] == [port["name"] for port in row["inputs"]]
    assert [port.name for port in session.get_outputs()] == [port["name"] for port in row["outputs"]]
    state = np.zeros((2, 3, 8), np.float32)
    log_probs, *_ = session.run(None, {"tokens": np.ones((4, 3), np.int64), "hidden": state, "cell": state})
    assert np.exp(log_probs).sum(-1) == pytest.approx(np.ones((4, 3)), abs=1e-5)
    kept, own = run / "export" / "assets", run / "assets"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in own.iterdir()
    }


def test_a_file_says_nothing_of_the_machine_that_made_it(run: Path, tmp_path: Path) -> None:
    (made,) = export("lm", run=run, out=tmp_path / "out")
    content = made.path.read_bytes()
    assert b"stack_trace" not in content
    assert str(Path(onnx_file.__file__).parents[1]).encode() not in content


def test_what_is_for_training_alone_stays_behind(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = replace(load_plugin("lm"), assets_for_training=("vocabulary.json",))
    monkeypatch.setattr("lstmdrop.commands.export.load_plugin", lambda name: plugin)
    export("lm", run=run, out=tmp_path / "out")
    assert (run / "assets" / "vocabulary.json").exists()
    assert not (tmp_path / "out" / "assets" / "vocabulary.json").exists()
    assert (tmp_path / "out" / "config.json").read_bytes() == (run / "config.json").read_bytes()


@pytest.mark.slow
def test_an_empty_folder_is_filled_and_one_that_was_filled_meanwhile_is_left_alone(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    export("lm", run=run, out=tmp_path / "link")
    assert (tmp_path / "empty" / "model.onnx").is_file()
    assert (tmp_path / "link").is_symlink()

    def slowly(graph: Graph, path: Path) -> float:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").touch()
        return write_onnx(graph, path)

    monkeypatch.setattr(onnx_file, "write_onnx", slowly)
    with pytest.raises(LstmdropError, match="new was filled by another process"):
        export("lm", run=run, out=tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "link", "new"]


def test_nothing_is_left_of_an_export_that_computes_something_else(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    with pytest.raises(LstmdropError, match="computes something else"):
        export("lm", run=run, out=tmp_path / "new" / "folder")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not an empty folder"):
        export("lm", run=run, out=tmp_path / "used")
    with pytest.raises(UsageError, match="is a run of lm, not of mt"):
        export("mt", run=run, out=tmp_path / "new")
