"""Use a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.config import Section
from lstmdrop.errors import as_list
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import require_effect, resolve
from lstmdrop.settings import AnyPath
from lstmdrop.training.device import switches_kept


def predict(
    task: str,
    *,
    runs: Sequence[AnyPath] = (),
    inputs: Iterable[AnyPath] = (),
    options: Section | None = None,
    device: str = "auto",
    data_dir: Path | None = None,
    **settings: Any,
) -> Iterator[Mapping[str, Any]]:
    """Outputs one by one, each a JSON-ready mapping whose plain form stands under ``text``, or ``plain`` if it has one.

    ``settings`` are the fields of the task's prediction options, for example ``prompt`` and ``temperature``.

    Raises:
        UsageError: ``inputs`` is one string, not several.
        ConfigError: a setting is unknown or out of range.
        UsageError: a setting has no effect beside the others.
        DataError: a run or its checkpoint is missing or damaged.
    """
    plugin = load_plugin(task)
    given = as_list("inputs", inputs)
    lines = [str(one) for one in given] if isinstance(given, Sequence) else map(str, given)
    chosen = options or resolve(plugin.prediction, [settings])
    require_effect(chosen)
    with switches_kept():
        models = list(load_tasks(plugin, open_runs(task, runs), device, None, data_dir))
        yield from plugin.predict(models, lines, chosen)
