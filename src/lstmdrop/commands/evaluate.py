"""Score runs, alone or as an ensemble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.device import choose_device
from lstmdrop.commands.settings import resolve_config
from lstmdrop.discovery import load_plugin
from lstmdrop.errors import BoundMissedError, DataError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import TaskPlugin
from lstmdrop.run import Run
from lstmdrop.task import SPLITS, Task


def evaluate(
    task: str,
    *,
    runs: Sequence[Path] = (),
    data: str | None = None,
    split: str = "test",
    device: str = "auto",
    data_dir: Path | None = None,
) -> Sequence[Score]:
    """Scores of a run, or of several as an ensemble; without ``runs``, of the newest finished one.

    Raises:
        UsageError: there is no such split, or a run is of another task.
        DataError: a run, its checkpoint or the data is missing or damaged.
    """
    if split not in SPLITS:
        raise UsageError(f"no split {split!r}: one of {', '.join(SPLITS)}")
    plugin = load_plugin(task)
    return plugin.evaluate(load_tasks(plugin, open_runs(task, runs), device, data, data_dir), split)


def require_bound(score: Score, bound: float) -> None:
    """Check a score against a bound.

    Raises:
        BoundMissedError: the score is worse.
    """
    missed = score.value < bound if score.higher_is_better else score.value > bound
    if missed:
        relation = "under" if score.higher_is_better else "over"
        raise BoundMissedError(f"{score.name} {score.value:.4g} is {relation} the bound {bound:g}")


def open_runs(task: str, directories: Sequence[Path]) -> list[Run]:
    """The runs in ``directories``, or the newest finished run of the task.

    Raises:
        UsageError: a run is of another task.
        DataError: there is no such run.
    """
    runs = [Run.open(directory) for directory in directories] or [Run.newest(task)]
    for run in runs:
        if run.config().get("task") != task:
            raise UsageError(f"{run.directory} is a run of {run.config().get('task')}, not of {task}")
    return runs


def load_tasks(
    plugin: TaskPlugin, runs: Sequence[Run], device: str, data: str | None, data_dir: Path | None
) -> Iterator[Task[Any]]:
    """Each run's task with its best weights, built one at a time."""
    for run in runs:
        yield _load_task(plugin, run, device, data, data_dir)


def _load_task(plugin: TaskPlugin, run: Run, device: str, data: str | None, data_dir: Path | None) -> Task[Any]:
    if not any(run.assets.iterdir()):  # a vocabulary made anew could be another one
        raise DataError(f"{run.assets} is empty: the run was stopped before it began, or is damaged")
    config = resolve_config(plugin, data=data, stored=run.config())
    task = plugin.build(config, run.assets, choose_device(device), data_dir)
    task.model.load_state_dict(run.load_best().tensors)
    task.model.eval()
    return task
