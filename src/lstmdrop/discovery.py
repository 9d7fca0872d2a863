"""Which tasks are installed; load one; find a preset."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from lstmdrop.errors import ConfigError, UsageError, did_you_mean
from lstmdrop.layers import read_preset
from lstmdrop.plugin import TaskPlugin

NAMESPACE = "lstmdrop_tasks"


def installed_tasks() -> list[str]:
    """Names of the installed tasks, without importing any: every package in the namespace is one."""
    namespace = importlib.import_module(NAMESPACE)
    return sorted(module.name for module in pkgutil.iter_modules(namespace.__path__) if module.ispkg)


def load_plugin(name: str) -> TaskPlugin:
    """The plugin of a task.

    Raises:
        UsageError: no such task is installed, or its folder has no ``PLUGIN``.
    """
    tasks = installed_tasks()
    if name not in tasks:
        raise UsageError(f"no task {name!r}{did_you_mean(name, tasks)}; installed: {', '.join(tasks)}")
    plugin = getattr(importlib.import_module(f"{NAMESPACE}.{name}"), "PLUGIN", None)
    if not isinstance(plugin, TaskPlugin):
        raise UsageError(f"task {name!r}: its package defines no PLUGIN")
    return plugin


def sizes(plugin: TaskPlugin) -> list[str]:
    """The names of a task's presets."""
    return sorted(path.stem for path in plugin.presets.glob("*.toml"))


def find_preset(plugin: TaskPlugin, size: str) -> dict[str, Any]:
    """The settings of a size.

    Raises:
        ConfigError: the task has no preset of that name.
    """
    path = plugin.presets / f"{size}.toml"
    if size not in sizes(plugin):
        known = sizes(plugin)
        raise ConfigError(f"{plugin.name} has no size {size!r}{did_you_mean(size, known)}; sizes: {', '.join(known)}")
    return read_preset(path)


def preset_folder(package_file: str) -> Path:
    """The presets beside a task's code, for its ``PLUGIN``."""
    return Path(package_file).parent / "presets"
