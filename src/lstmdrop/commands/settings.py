"""From named options to a whole configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.config import TaskConfig, nest, parse_override, read_preset, resolve
from lstmdrop.discovery import find_preset
from lstmdrop.plugin import TaskPlugin

DEFAULT_SIZE = "small"


def resolve_config(
    plugin: TaskPlugin,
    size: str | None = None,
    data: str | None = None,
    regularizer: str | None = None,
    seed: int | None = None,
    preset: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    stored: Mapping[str, Any] | None = None,
) -> TaskConfig:
    """Class defaults, the size's preset, the preset file, the named options, the overrides: later ones win.

    The configuration of a run that goes on, ``stored``, stands in the place of the size's preset, so that
    what is not named stays as it was.

    Raises:
        ConfigError: a size, a key or a value is wrong.
    """
    from_file = {} if preset is None else read_preset(preset)
    if stored is None:
        size = size or str(from_file.get("size", DEFAULT_SIZE))
        stored = find_preset(plugin, size)
    named = {"data.name": data, "regularizer.rule": regularizer, "seed": seed, "size": size}
    layers: list[Mapping[str, Any]] = [stored, from_file]
    layers += [nest(key, value) for key, value in named.items() if value is not None]
    layers += [parse_override(text) for text in overrides]
    config = resolve(plugin.config, layers)
    name = _whole_path(config.data.name, [dataset.name for dataset in plugin.datasets])
    return config.model_copy(update={"data": config.data.model_copy(update={"name": name})})


def _whole_path(data: str, datasets: Sequence[str]) -> str:
    """A path in full, so that the run can be scored from any folder; a dataset's name as it is."""
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() and data not in datasets else data
