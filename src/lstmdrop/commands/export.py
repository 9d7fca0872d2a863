"""A trained model as files that another runtime loads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.data.atomic import new_folder
from lstmdrop.errors import UsageError
from lstmdrop.parsing import to_json
from lstmdrop.plugin import load_plugin
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath
from lstmdrop.training.device import switches_kept

INTERFACE = "interface.json"


@dataclass(frozen=True, slots=True)
class ExportedGraph:
    """One file, and how it was found to compute."""

    path: Path
    num_bytes: int
    largest_difference: float
    """Between what ONNX Runtime and PyTorch compute from random inputs, over all outputs."""
    interface: dict[str, Any]
    """Under ``inputs`` and ``outputs`` the name, axes and number format of each."""


@switches_kept()
def export(task: str, *, run: AnyPath | None = None, out: AnyPath | None = None) -> list[ExportedGraph]:
    """Write a run's best weights as ONNX into ``out``, by default the run's folder ``export``.

    Beside the graphs lie ``interface.json`` and copies of the run's ``config.json`` and of those of its ``assets`` that
    are not for training alone. Each graph is run with ONNX Runtime and held against the network before anything takes
    its name.

    Raises:
        UsageError: the task or the run has nothing to export, or ``out`` is in use.
        DataError: the run or its checkpoint is missing or damaged.
        MissingPartError: ONNX is not installed.
        LstmdropError: an exported graph computes something else than the network.
    """
    from lstmdrop.graphs.onnx_file import require_onnx, write_onnx

    plugin = load_plugin(task)
    if plugin.graphs is None:
        raise UsageError(f"{task} has nothing to export")
    require_onnx()
    (source,) = open_runs(task, [] if run is None else [run])
    folder = source.directory / "export" if out is None else Path(out)
    Run(folder).require_empty()
    (model,) = load_tasks(plugin, [source], "cpu", None, None)
    with new_folder(folder) as unfinished:
        exported = []
        for name, graph in plugin.graphs(model).items():
            path = unfinished / f"{name}.onnx"
            difference = write_onnx(graph, path)
            exported.append(ExportedGraph(folder / path.name, path.stat().st_size, difference, graph.described()))
        interface = {each.path.name: each.interface for each in exported}
        text = to_json({"task": task, "graphs": interface}, indent=2, ensure_ascii=False)
        (unfinished / INTERFACE).write_text(text + "\n", encoding="utf-8")
        (unfinished / "config.json").write_bytes((source.directory / "config.json").read_bytes())
        for_training = shutil.ignore_patterns(*plugin.assets_for_training)
        shutil.copytree(source.assets, unfinished / "assets", ignore=for_training)
    return exported
