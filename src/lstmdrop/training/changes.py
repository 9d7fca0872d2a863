"""Going on with a run under other settings of training: which may change, from where on, and how that is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstmdrop.config import Change, TaskConfig
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.presets import changed, neutral_settings, told
from lstmdrop.task import Task
from lstmdrop.training.progress import Progress

Settings = Mapping[str, tuple[Any, Any]]
"""By dotted key the old and the new value."""

SECTION = "training."


def changed_training(old: TaskConfig, new: TaskConfig) -> dict[str, tuple[Any, Any]]:
    """The settings of training in which a run is to go on otherwise; of what changes no result none.

    Raises:
        ConfigError: other settings differ too, those of the network or the data, say.
    """
    differing = changed(old, new, but={*neutral_settings(new), "data.name"})
    fixed = {key: values for key, values in differing.items() if not key.startswith(SECTION)}
    if fixed:
        listed = "\n".join(f"  {line}" for line in told(fixed))
        raise ConfigError(
            f"it was started with another configuration, and goes on with other settings of training alone:\n{listed}\n"
            "a new run with its weights and other data, dropout, seed ... is begun with --from, one with another "
            "network from scratch"
        )
    return differing


def noted(config: TaskConfig, progress: Progress, settings: Settings) -> TaskConfig:
    """The configuration of a run that goes on from ``progress`` with these settings changed, noted in ``changes``.

    Where it goes on from an earlier state than a change that was noted before, that change is made here too.
    """
    point = (progress.epoch, progress.step)
    entries = [(min(point, (change.epoch, change.step)), change.settings) for change in config.changes]
    if settings:
        entries.append((point, dict(settings)))
    by_point: dict[tuple[int, int], dict[str, tuple[Any, Any]]] = {}
    for where, values in entries:
        there = by_point.setdefault(where, {})
        for key, (old, new) in values.items():
            there[key] = (there.get(key, (old,))[0], new)
    changes = [
        Change(epoch=epoch, step=step, settings={key: pair for key, pair in values.items() if pair[0] != pair[1]})
        for (epoch, step), values in by_point.items()
    ]
    return config.model_copy(update={"changes": tuple(change for change in changes if change.settings)})


def require_possible(config: TaskConfig, progress: Progress, settings: Settings, *, is_finished: bool) -> None:
    """Make sure that a run can go on from ``progress`` with these changes, and does.

    Raises:
        ConfigError: batches would change within an epoch, or there is no step left that the changes could act on.
    """
    training, num_done = config.training, progress.epoch - 1
    shaping = [key for key in settings if key.removeprefix(SECTION) in training.between_epochs]
    if shaping and progress.position:
        raise ConfigError(
            f"{', '.join(shaping)}: batches may change where an epoch begins, and the run stands within epoch "
            f"{progress.epoch}, at step {progress.step}: go on to its end first, or begin a new run with --from"
        )
    if training.epochs < num_done:
        raise ConfigError(f"training.epochs = {training.epochs}: the run has made {num_done} epochs already")
    if not is_finished:
        return
    if training.epochs == num_done:
        raise ConfigError(
            f"the run has made its {num_done} epochs: {', '.join(settings)} would change nothing any more\n"
            f"--set training.epochs=N, with more than {num_done}, goes on"
        )
    if training.patience is not None and progress.epochs_since_best >= training.patience:
        raise ConfigError(
            f"the run ended after epoch {num_done}, {progress.epochs_since_best} epochs after its best, by "
            f"training.patience = {training.patience}\n--set training.patience=N with more, or null, goes on"
        )


def require_same_data(sha256: str, task: Task[Any]) -> None:
    """Refuse to go on with other data, wherever it lies.

    Raises:
        DataError: its hash is another than ``sha256``.
    """
    if task.data_sha256() != sha256:
        raise DataError(
            "the data has changed since the run was started, so it cannot go on "
            f"(it was {sha256[:12]}, and is {task.data_sha256()[:12]})"
        )
