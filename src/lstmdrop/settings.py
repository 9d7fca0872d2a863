"""From named options to a whole configuration, and to the name of its run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lstmdrop.config import TaskConfig
from lstmdrop.data.registry import expanded
from lstmdrop.data.rows import is_pattern, matching_files
from lstmdrop.errors import ConfigError, DataError, as_list
from lstmdrop.plugin import TaskPlugin, find_preset, sizes, stands_among
from lstmdrop.presets import (
    Layer,
    every_setting,
    flatten,
    nest,
    parse_override,
    read_preset,
    resolve,
    setting_names,
    without_effect,
    without_records,
)

DEFAULT_SIZE = "small"
AUTO_SIZE = "auto"
"""The preset that the task chooses by the amount of data."""

log = logging.getLogger("lstmdrop.config")

AnyPath = str | Path


def as_paths(directories: Sequence[AnyPath] | AnyPath) -> list[Path]:
    """Each as a path; one alone is a list of one."""
    return [Path(each) for each in ([directories] if isinstance(directories, str | Path) else directories)]


def resolve_config(
    plugin: TaskPlugin,
    size: str | None = None,
    data: AnyPath | None = None,
    regularizer: str | None = None,
    seed: int | None = None,
    preset: AnyPath | None = None,
    overrides: Sequence[str] = (),
    *,
    stored: Layer | None = None,
    data_dir: Path | None = None,
) -> TaskConfig:
    """Class defaults, the size's preset, the preset file, the named options, the overrides: later ones win.

    The configuration of a run that goes on, ``stored``, stands in the place of the size's preset, so that
    what is not named stays as it was. The size ``auto`` is the one that the task chooses for its data.

    Raises:
        ConfigError: a size, a key or a value is wrong, or the settings are of another task.
    """
    from_file = {} if preset is None else without_records(plugin.config, read_preset(preset))
    overridden = [parse_override(text) for text in as_list("overrides", overrides)]
    _require_task(plugin.name, [stored or {}, from_file, *overridden])
    _require_settings(plugin, overridden)
    options = {"data.name": None if data is None else str(data), "regularizer.rule": regularizer, "seed": seed}
    named = [nest(key, value) for key, value in options.items() if value is not None]
    if stored is None:
        size = size or str(from_file.get("size", DEFAULT_SIZE))
        if size == AUTO_SIZE:
            size = _fitting_size(plugin, [from_file, *named, *overridden], data_dir)
        stored = find_preset(plugin, size)
    if size not in (None, AUTO_SIZE):  # which a run that goes on has chosen
        named.append(nest("size", size))
    config = resolve(plugin.config, [stored, from_file, *named, *overridden])
    _require_effect(config, [*named, *overridden])
    name = _whole_path(config.data.name, [dataset.name for dataset in plugin.datasets])
    return config.model_copy(update={"data": config.data.model_copy(update={"name": name})})


def require_readable(plugin: TaskPlugin, directory: Path, stored: Layer) -> None:
    """Make sure that the configuration which a run's folder holds is one.

    Raises:
        DataError: it has a key or a value that there is not.
    """
    try:
        resolve(plugin.config, [stored])
    except ConfigError as error:
        raise DataError(f"{directory}/config.json: {error}") from None


def require_taken(plugin: TaskPlugin, verb: str, overrides: Sequence[str], places: Sequence[str]) -> dict[str, object]:
    """What ``--set`` gives, by dotted key, if the verb takes it: ``places`` are settings, and sections of them.

    Raises:
        ConfigError: it does not.
    """
    known = setting_names(plugin.config)
    taken = [name for name in known if stands_among(name, places)]
    layers = map(parse_override, as_list("overrides", overrides))
    given = {key: value for layer in layers for key, value in flatten(layer).items()}
    for key in given:
        if key in known and key not in taken:  # one that does not exist is told the nearest
            hint = "; other data is given with --data" if key == "data.name" else ""
            listed = ", ".join(taken) or "no setting"
            raise ConfigError(f"--set {key}: {verb} {plugin.name} does not take it{hint}\nit takes {listed}")
    return given


def _require_settings(plugin: TaskPlugin, given: Iterable[Layer]) -> None:
    for key in (key for layer in given for key in layer if key in plugin.config.records):
        raise ConfigError(f"--set {key}: this is no setting, but what a run notes of itself")


def _fitting_size(plugin: TaskPlugin, layers: Sequence[Layer], data_dir: Path | None) -> str:
    if plugin.fitting_size is None:
        raise ConfigError(f"{plugin.name} has no size 'auto'; sizes: {', '.join(sizes(plugin))}")
    size, reason = plugin.fitting_size(resolve(plugin.config, layers), data_dir)
    log.warning("--size auto is %s: %s", size, reason)
    return size


def _require_effect(config: TaskConfig, given: Iterable[Layer]) -> None:
    """Refuse what was given and changes nothing; a default may be given anywhere."""
    flat = {key for layer in given for key in flatten(layer)}
    defaults, values = every_setting(type(config)(task=config.task)), every_setting(config)
    for key, mark in without_effect(config, flat):
        if values[key] != defaults[key]:
            raise ConfigError(f"{key} = {values[key]} has an effect only {mark.where}")


def require_trainable(plugin: TaskPlugin, config: TaskConfig) -> None:
    """Make sure that nothing is set which acts in ``eval`` alone: a run would carry it into every score.

    Raises:
        ConfigError: something is.
    """
    defaults, values = flatten(plugin.config(task=plugin.name).model_dump()), flatten(config.model_dump())
    for key, value in values.items():
        if stands_among(key, plugin.eval_only) and value != defaults[key]:
            raise ConfigError(
                f"{key} = {value} acts when a run is scored, not in training: leave it out of train, and then\n"
                f"lstmdrop eval {plugin.name} --set {key}={value}"
            )


def default_name(config: Mapping[str, Any]) -> str:
    """``task-size-data-sSEED``, with the rule where it is not the default; safe as a folder's name."""
    return f"{recipe_name(config)}-s{config['seed']}"


def recipe_name(config: Mapping[str, Any]) -> str:
    """What all seeds of a recipe are called: ``task-size-data``, with the rule, and with what they started from."""
    data = _short_name(str(config["data"]["name"]))
    rule, start = config["regularizer"]["rule"], config.get("start")
    parts = [config["task"], config["size"], data, *([] if rule == "zaremba" else [rule])]
    return "-".join(map(str, [*parts, *(["from", start["name"]] if start else [])]))


def _short_name(data: str) -> str:
    """The last part of a path or an address that has no sign of a pattern in it."""
    parts = Path(data).parts or (data,)
    return next((part for part in reversed(parts) if not any(sign in part for sign in "*?[")), parts[-1])


@contextmanager
def naming_moved_data(names: Iterable[str]) -> Iterator[None]:
    """An error within the block, where a run's data is not in its place any more, says how to give the new one.

    Raises:
        DataError: the error, with a line more.
    """
    try:
        yield
    except DataError as error:
        gone = [name for name in names if Path(name).is_absolute() and not Path(name).exists()]
        if not gone:
            raise
        raise DataError(f"{error}\n{gone[0]} is no more: if it has moved, say where with --data") from None


def _require_task(task: str, layers: Iterable[Layer]) -> None:
    for layer in layers:
        if layer.get("task", task) != task:
            raise ConfigError(f"task = {layer['task']!r}: these settings are not for {task!r}")


def _whole_path(data: str, datasets: Sequence[str]) -> str:
    """A path or a pattern in full, so that the run can be scored from any folder; a dataset's name as it is."""
    path = expanded(data)
    if data in datasets:
        return data
    if path.exists():
        return str(path.resolve())
    return str(path.absolute()) if is_pattern(path) and matching_files(path) else data
