"""Score runs, alone or as an ensemble."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.device import choose_device
from lstmdrop.commands.settings import AnyPath, as_paths, resolve_config
from lstmdrop.discovery import load_plugin
from lstmdrop.errors import BoundMissedError, DataError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import TaskPlugin
from lstmdrop.run import Run
from lstmdrop.task import SPLITS, Split, Task
from lstmdrop.training.precision import set_switches


def evaluate(
    task: str,
    *,
    runs: Sequence[AnyPath] = (),
    data: AnyPath | None = None,
    split: str = "test",
    device: str = "auto",
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
) -> Sequence[Score]:
    """Scores of a run, or of several as an ensemble; without ``runs``, of the newest finished one.

    ``overrides`` are laid over the runs' settings, say those of decoding; see `tune` for how to choose them.

    Raises:
        UsageError: there is no such split, or a run is of another task.
        ConfigError: an override does not fit.
        DataError: a run, its checkpoint or the data is missing or damaged.
    """
    chosen = _split(split)
    plugin = load_plugin(task)
    return plugin.evaluate(load_tasks(plugin, open_runs(task, runs), device, data, data_dir, overrides), chosen)


def tune(
    task: str,
    *,
    runs: Sequence[AnyPath] = (),
    data: AnyPath | None = None,
    split: str = "valid",
    device: str = "auto",
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """The decoding settings that are best on ``split``, as overrides for `evaluate`.

    Raises:
        UsageError: the task has nothing to tune, or as `evaluate`.
        DataError: as `evaluate`.
    """
    plugin = load_plugin(task)
    if plugin.tune is None:
        raise UsageError(f"{task} has no settings to tune")
    chosen = _split(split)
    models = list(load_tasks(plugin, open_runs(task, runs), device, data, data_dir, overrides))
    return [f"{key}={value}" for key, value in plugin.tune(models, chosen).items()]


def _split(name: str) -> Split:
    for split in SPLITS:
        if split == name:
            return split
    raise UsageError(f"no split {name!r}: one of {', '.join(SPLITS)}")


def require_bound(score: Score, bound: float) -> None:
    """Check a score against a bound.

    Raises:
        UsageError: the bound is no number.
        BoundMissedError: the score is worse, or no number.
    """
    if math.isnan(bound):
        raise UsageError("the bound of --fail-under is not a number")
    if math.isnan(score.value):
        raise BoundMissedError(f"{score.name} is not a number, and the bound is {bound:g}")
    missed = score.value < bound if score.higher_is_better else score.value > bound
    if missed:
        relation = "under" if score.higher_is_better else "over"
        raise BoundMissedError(f"{score.name} {score.value:.4g} is {relation} the bound {bound:g}")


def open_runs(task: str, directories: Sequence[AnyPath] | AnyPath) -> list[Run]:
    """The runs in ``directories``, or the newest finished run of the task.

    Raises:
        UsageError: a run is of another task.
        DataError: there is no such run.
    """
    runs = [Run.open(directory) for directory in as_paths(directories)] or [Run.newest(task)]
    for run in runs:
        if run.config().get("task") != task:
            raise UsageError(f"{run.directory} is a run of {run.config().get('task')}, not of {task}")
    return runs


def load_tasks(
    plugin: TaskPlugin,
    runs: Sequence[Run],
    device: str,
    data: AnyPath | None,
    data_dir: Path | None,
    overrides: Sequence[str] = (),
) -> Iterator[Task[Any]]:
    """Each run's task with its best weights, built one at a time."""
    for run in runs:
        yield _load_task(plugin, run, device, data, data_dir, overrides)


def _load_task(
    plugin: TaskPlugin, run: Run, device: str, data: AnyPath | None, data_dir: Path | None, overrides: Sequence[str]
) -> Task[Any]:
    run.require_assets()
    config = resolve_config(plugin, data=data, stored=run.config(), overrides=overrides)
    set_switches(config.training)
    task = plugin.build(config, run.assets, choose_device(device), data_dir)
    try:
        task.model.load_state_dict(run.load_best().tensors)
    except RuntimeError:
        raise DataError(f"{run.directory}: its weights are not of the network that its config.json describes") from None
    task.model.eval()
    return task
