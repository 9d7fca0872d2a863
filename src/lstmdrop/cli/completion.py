"""What the shell is told when it asks how a word may go on; nothing heavy is imported for it.

Each function is given the command's context, with what stands before the word, and the word's beginning. Typer finds
them by their parameters' names and types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

if TYPE_CHECKING:
    from lstmdrop.plugin import TaskPlugin

TASK = "lstmdrop.task"
"""Under which a context names the task of its command."""

Completion = tuple[str, str]
"""A word, and a few words about it."""


def tasks(incomplete: str) -> Iterable[Completion]:
    """The installed tasks."""
    return _beginning(incomplete, ((plugin.name, plugin.summary) for plugin in _installed()))


def sizes(context: typer.Context, incomplete: str) -> Iterable[Completion]:
    """The presets of the task that is named before, else of all tasks."""
    from lstmdrop.plugin import sizes

    return _beginning(incomplete, ((size, plugin.name) for plugin in _named(context) for size in sizes(plugin)))


def datasets(context: typer.Context, incomplete: str) -> Iterable[Completion]:
    """The datasets of the task that is named before, else of all tasks; then files and folders of one's own."""
    known = ((dataset.name, dataset.summary) for plugin in _named(context) for dataset in plugin.datasets)
    return [*_beginning(incomplete, known), *_paths(incomplete)]


def dataset_names(incomplete: str) -> Iterable[Completion]:
    """The datasets of all tasks."""
    known = ((dataset.name, dataset.summary) for plugin in _installed() for dataset in plugin.datasets)
    return _beginning(incomplete, known)


def rules(incomplete: str) -> Iterable[Completion]:
    """The dropout rules."""
    from lstmdrop.config import RuleName

    return _beginning(incomplete, ((rule, "") for rule in get_args(RuleName)))


def splits(incomplete: str) -> Iterable[Completion]:
    """The splits of a dataset."""
    from lstmdrop.config import SPLITS

    return _beginning(incomplete, ((split, "") for split in SPLITS))


def settings(context: typer.Context, incomplete: str) -> Iterable[Completion]:
    """``section.field=`` for each setting of the task."""
    from lstmdrop.presets import setting_names

    known = ((f"{name}=", "") for plugin in _named(context) for name in setting_names(plugin.config))
    return _beginning(incomplete, known)


def scoring_settings(context: typer.Context, incomplete: str) -> Iterable[Completion]:
    """Those of `settings` that ``eval`` takes."""
    from lstmdrop.plugin import stands_among

    taken = [place for plugin in _named(context) for place in plugin.scoring_settings]
    return [(word, about) for word, about in settings(context, incomplete) if stands_among(word.rstrip("="), taken)]


def _beginning(incomplete: str, known: Iterable[Completion]) -> list[Completion]:
    """Those that begin so, each once."""
    return [*{word: (word, about) for word, about in known if word.startswith(incomplete)}.values()]


def _paths(incomplete: str) -> Iterator[Completion]:
    """Files and folders where a path has been begun, as names of datasets never do: with a dot, a tilde or a slash."""
    if not incomplete.startswith((".", "~")) and "/" not in incomplete:
        return
    begun = incomplete.rpartition("/")[2]
    shown = incomplete.removesuffix(begun)
    folder = Path(shown or ".").expanduser()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(begun) and (begun or not path.name.startswith(".")):
            yield f"{shown}{path.name}{'/' if path.is_dir() else ''}", ""


def _named(context: typer.Context) -> list[TaskPlugin]:
    """The task that stands among the words before, else all; an option that waits for its value ends their parsing."""
    from lstmdrop.plugin import load_plugin

    task = context.meta.get(TASK) or context.params.get("task")
    return [load_plugin(task)] if task else _installed()


def _installed() -> list[TaskPlugin]:
    from lstmdrop.plugin import installed_tasks, load_plugin

    return [load_plugin(name) for name in installed_tasks()]
