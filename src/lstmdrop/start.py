"""Beginning a run with the weights and the assets of a trained one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lstmdrop.config import Start, TaskConfig
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.plugin import TaskPlugin, stands_among
from lstmdrop.presets import Layer, changed, flatten, merge, nest, neutral_settings, resolve, without_records
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath, recipe_name, resolve_config
from lstmdrop.task import CountsUnknown, Task
from lstmdrop.training.checkpoint import Checkpoint, weights_sha256

ALWAYS_INHERITED = ("task", "size")


@dataclass(frozen=True, slots=True)
class Origin:
    """A trained run that another one begins with."""

    run: Run
    config: TaskConfig
    best: Checkpoint

    @property
    def note(self) -> Start:
        """What the new run's configuration says of it."""
        return Start(
            run=str(self.run.directory.resolve()),
            name=recipe_name(self.config.model_dump()),
            weights_sha256=weights_sha256(self.best.tensors),
            config_sha256=self.config.sha256(),
        )


def open_origin(plugin: TaskPlugin, directory: AnyPath) -> Origin:
    """The run in a folder, with its best weights.

    Raises:
        UsageError: it is of another task.
        DataError: there is no run, it has no weights or no assets, or these are damaged.
    """
    run = Run.open(Path(directory))
    stored = run.config()
    if stored.get("task") != plugin.name:
        raise UsageError(f"--from {directory}: this is a run of {stored.get('task')}, not of {plugin.name}")
    run.require_assets()
    if not run.has_best():
        raise DataError(
            f"--from {directory}: there are no weights in it (best.safetensors): it was stopped before its first epoch "
            "ended, or is what 'export' wrote, which has graphs in place of weights"
        )
    try:
        return Origin(run, resolve(plugin.config, [stored]), run.load_best())
    except ConfigError as error:
        raise DataError(f"{directory}/config.json: {error}") from None


def started_config(plugin: TaskPlugin, start: AnyPath, *choices: Any) -> TaskConfig:
    """The configuration of a new run that begins with a trained one: what is not chosen is as it was there.

    ``choices`` are those of `lstmdrop.settings.resolve_config`.

    Raises:
        ConfigError: what belongs to the weights, such as the network's sizes, is chosen to be another.
        LstmdropError: as `open_origin`.
    """
    origin = open_origin(plugin, start)
    stored = {**without_records(plugin.config, origin.run.config()), "start": origin.note.model_dump()}
    config = resolve_config(plugin, *choices, stored=_without(stored, plugin.left_behind))
    if config.data.name != origin.config.data.name:  # and how it is read is not as it was there
        config = resolve_config(plugin, *choices, stored=_without(stored, (*plugin.left_behind, *plugin.reading)))
    inherited = (*ALWAYS_INHERITED, *plugin.inherited)
    differing = changed(origin.config, config, but=neutral_settings(config))
    contradicted = {key: values for key, values in differing.items() if stands_among(key, inherited)}
    if contradicted:
        listed = "\n".join(f"  {key}: {ours} there, {asked} here" for key, (ours, asked) in contradicted.items())
        raise ConfigError(
            f"the weights of {start} are of another network, or of other tokens, than is asked for:\n{listed}\n"
            "leave these out, or begin from scratch, without --from"
        )
    return config


def _without(layer: Layer, keys: Sequence[str]) -> Layer:
    kept: Layer = {}
    for key, value in flatten(layer).items():
        if key not in keys:
            kept = merge(kept, nest(key, value))
    return kept


def require_other_place(run: Run, start: AnyPath) -> None:
    """Refuse a run that is to begin with itself.

    Raises:
        UsageError: it is.
    """
    if run.exists() and Path(start).exists() and run.directory.samefile(start):
        raise UsageError(f"--from {start} is where the new run would be: --resume goes on with it, --out names another")


def require_same_start(plugin: TaskPlugin, run: Run, config: TaskConfig, start: AnyPath) -> None:
    """Make sure that a run which goes on began with what is named; its folder need not be there any more.

    Raises:
        ConfigError: it did not.
    """
    if config.start is None:
        raise ConfigError(f"{run.directory} began from scratch, not from {start}: it goes on without --from")
    if Path(start).resolve() == Path(config.start.run):
        return
    if open_origin(plugin, start).note.weights_sha256 != config.start.weights_sha256:
        raise ConfigError(f"{run.directory} began with {config.start.run}, whose weights are not those of {start}")


def build_new(
    plugin: TaskPlugin, config: TaskConfig, assets: Path, device: torch.device, data_dir: Path | None
) -> Task[Any]:
    """A task as a new run begins with it: its assets made of the data, or those and the weights of ``config.start``.

    Raises:
        DataError: the run of ``config.start`` is not what it was, or no run any more.
    """
    if config.start is None:
        return plugin.build(config, assets, device, data_dir)
    origin = open_origin(plugin, config.start.run)
    if origin.note.weights_sha256 != config.start.weights_sha256:
        raise DataError(f"{config.start.run} has other weights than when this run was begun with it: begin anew")
    ignored = shutil.ignore_patterns(*plugin.assets_for_training)
    shutil.copytree(origin.run.assets, assets, dirs_exist_ok=True, ignore=ignored)
    task = plugin.build(config, assets, device, data_dir)
    try:
        task.model.load_state_dict(dict(origin.best.tensors))
    except RuntimeError:
        raise DataError(
            f"{config.start.run}: its weights are not of the network that its config.json describes"
        ) from None
    if plugin.begin is not None:
        plugin.begin(task, assets)
    return task


def start_summary(task: Task[Any], config: TaskConfig) -> dict[str, str]:
    """Where the weights are from, and how much of the training data their vocabulary lacks; nothing from scratch."""
    if config.start is None:
        return {}
    rows = {"start": f"best weights of {config.start.run} ({config.start.name})"}
    if isinstance(task, CountsUnknown):
        unknown, total = task.num_unknown("train")
        rows["not known"] = (
            f"{unknown:,} of {total:,} training {task.unit} ({unknown / max(1, total):.2%}) to its vocabulary"
        )
    return rows
