"""What a task tells the toolkit about itself; which tasks are installed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lstmdrop.config import OnlyWhere, Section, TaskConfig
from lstmdrop.data.registry import Dataset
from lstmdrop.deferred import deferred as deferred  # a task's __init__ takes it from here
from lstmdrop.errors import ConfigError, UsageError, did_you_mean
from lstmdrop.presets import read_preset

if TYPE_CHECKING:
    import torch

    from lstmdrop.config import Split
    from lstmdrop.contest import Axis, Contest
    from lstmdrop.graphs.graph import Graph
    from lstmdrop.metrics.score import Score
    from lstmdrop.metrics.segments import SegmentsOf
    from lstmdrop.service import Services
    from lstmdrop.task import Task
    from lstmdrop.training.ensemble import Stack


def no_segments(config: Any) -> Mapping[str, SegmentsOf]:
    """Every score of the task is made as the core makes it."""
    return {}


def no_languages(assets: Path) -> Sequence[str]:
    """The task does not know in which languages its data is."""
    return ()


@dataclass(frozen=True, slots=True)
class TaskPlugin:
    """A task as the toolkit sees it; loading one imports no torch."""

    name: str
    summary: str
    config: type[TaskConfig]
    presets: Path
    """The folder of TOML files that ``--size`` names."""
    datasets: Sequence[Dataset]
    build: Build
    evaluate: Evaluate
    prediction: type[Section]
    """What can be asked of ``predict``: the docstring is the command's help, the fields are its options."""
    predict: Predict
    bench: Bench
    inputs: Literal["files", "lines"] = "files"
    """What ``predict`` works on: each INPUT itself, or the lines of the text files that the INPUTs are."""
    output_of: str = "file"
    """The key under which an output of ``predict`` names the file that it was made of."""
    inputs_where: OnlyWhere | None = None
    """Where ``predict`` reads any INPUT at all, if not always."""
    references: References | None = None
    """What ``compare`` and the results page set the lines of ``predictions.txt`` against, if the task writes any."""
    examples: Examples | None = None
    """What a trained model makes of a few inputs, kept in the run for the results page."""
    segments: SegmentsFor = no_segments
    """Scores that this task makes in another way than `lstmdrop.metrics.segments.SEGMENTS`, by name."""
    tune: Tune | None = None
    """Finds the best settings of ``eval`` that need no training; None where there are none."""
    graphs: Graphs | None = None
    """What ``export`` writes; None where there is nothing that another runtime could run."""
    oddities: Oddities | None = None
    """What is in one's own data and looks wrong with it, for ``data info``."""
    contents: Oddities | None = None
    """The same, and what the data is: in place of counts of lines and words, where it is no plain text."""
    prepare_own: Callable[[str, str | None], Mapping[str, Path]] | None = None
    """Texts of one's own, and their column, made ready for training ahead of it: the text of each split."""
    fitting_size: Callable[[Any, Path | None], tuple[str, str]] | None = None
    """For ``--size auto``: from what was named (`Build`'s ``config``, of no size yet) to a preset, and why this one."""
    options: Sequence[TaskOption] = ()
    """What the task adds to the command lines of ``train``, ``eval`` and ``bench``."""
    scoring_settings: Sequence[str] = ("decoding", "scoring")
    """Settings, and sections of them, that ``eval --set`` takes; those that change a score stand in its signature."""
    of_own_data: Sequence[str] = ()
    """Settings of how a run's data is read that say nothing of other data which ``eval --data`` gives."""
    bench_settings: Sequence[str] = ()
    """Settings beside the common ones that a training step on random numbers depends on: ``bench`` takes them."""
    growth: Sequence[Axis] = ()
    """The sizes that ``bench --grow`` lets grow one after the other."""
    eval_only: Sequence[str] = ()
    """Those of them that a training would not know what to do with: ``train`` neither offers nor takes them."""
    inherited: Sequence[str] = ("model",)
    """Settings, and sections of them, that belong to trained weights: who starts from a run has its."""
    reading: Sequence[str] = ()
    """Settings that say how data is read: who starts from a run, on other data, has its own."""
    left_behind: Sequence[str] = ()
    """Settings of a run that none which starts from it takes over."""
    begin: Begin | None = None
    """Checks the data of a run that starts from another's assets, and notes in them what is of its own data."""
    assets_for_training: Sequence[str] = ()
    """Files of a run's assets that ``export`` and ``publish`` leave behind: large, or with training text."""
    stack: Stack | None = None
    """The losses of several models as one, for ``train --ensemble``; None where there is no such thing."""
    not_stacked: Sequence[str] = ()
    """Settings of training that a stack has only the defaults of."""
    services: Services | None = None
    """What ``serve`` offers; None where the task is nothing to be asked over a network."""
    pipeline: str | None = None
    """What the Hugging Face Hub calls such a task, if it has a name for it."""
    languages: Languages = no_languages
    """What a published model reads and writes, where the task knows it."""


@dataclass(frozen=True, slots=True)
class TaskOption:
    """A setting with a name of its own on the command lines of the verbs that take it."""

    flag: str
    """Such as ``--pair``."""
    setting: str
    """Such as ``data.pair``."""
    help: str
    metavar: str | None = None
    """None for a flag, which takes no value and switches the setting on."""


class Build(Protocol):
    """Makes a task from its configuration."""

    def __call__(
        self, config: Any, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
    ) -> Task[Any]:
        """Vocabularies are made into ``assets`` the first time and read from there after.

        With ``scored`` the data is there to be scored on these splits alone: own data in one piece is not dealt out
        but is the split (see `lstmdrop.data.registry.whole_split`), and no other split need be there.
        """
        ...


class Begin(Protocol):
    """What making assets would have done for a run that has another's instead."""

    def __call__(self, task: Any, assets: Path) -> None:
        """Called once, when the task is built and has its weights."""
        ...


class Evaluate(Protocol):
    """Scores several models as one."""

    def __call__(self, tasks: Iterable[Any], split: Split, outputs: Path | None = None) -> Sequence[Score]:
        """The ensemble's scores; ``tasks`` are built one by one as they are asked for."""
        ...


class Predict(Protocol):
    """Uses trained models."""

    def __call__(self, tasks: Sequence[Any], inputs: Iterable[str], options: Any) -> Iterator[Mapping[str, Any]]:
        """One JSON-ready object a line of output.

        Its plain form stands under ``text``; where that is not enough, under ``plain``, None if nothing is to be said.
        Where `TaskPlugin.inputs` are lines, the number of the line that it was made of, from 1, under ``line``.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """One test item beside its line of ``predictions.txt``."""

    references: Sequence[str]
    """As the task scores them: normalised and tokenised in the same way as the predictions are."""
    source: str = ""
    """What was given to the model, where that is text."""
    image: Path | None = None
    """What was given to the model, where that is a picture."""


class References(Protocol):
    """Finds the test items of a run's data."""

    def __call__(self, config: Any, data_dir: Path | None) -> Sequence[ScoredItem]:
        """One for each line of ``predictions.txt``, in its order; torch is not needed for it."""
        ...


class SegmentsFor(Protocol):
    """How a run's scores are made of the lines of its predictions."""

    def __call__(self, config: Any) -> Mapping[str, SegmentsOf]:
        """By the score's name."""
        ...


class Examples(Protocol):
    """Shows what a trained model does."""

    def __call__(self, task: Any) -> Iterable[Mapping[str, Any]]:
        """A few outputs as `Predict` gives them; ``source``, ``references``, ``prompt`` and ``image`` are shown too."""
        ...


class Tune(Protocol):
    """Chooses decoding settings."""

    def __call__(self, tasks: Sequence[Any], split: Split) -> Mapping[str, Any]:
        """The settings, by dotted key, under which the first score on ``split`` is best."""
        ...


class Graphs(Protocol):
    """Takes a trained model apart for export."""

    def __call__(self, task: Any) -> Mapping[str, Graph]:
        """Graphs by the name of their file."""
        ...


class Languages(Protocol):
    """Knows the languages of a trained model."""

    def __call__(self, assets: Path) -> Sequence[str]:
        """Their codes, the source's first; ``assets`` are the run's."""
        ...


class Oddities(Protocol):
    """Looks at one's own data before anything is trained on it."""

    def __call__(self, path: Path) -> Iterable[str]:
        """A line about each thing that looks wrong; none where the data is not of this task."""
        ...


class Bench(Protocol):
    """Says what of a task is timed, on random inputs; the core times it."""

    def __call__(self, config: Any, device: torch.device) -> Sequence[Contest]:
        """Training, scoring and decoding, each beside the plainest PyTorch loop for the same network."""
        ...


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


def stands_among(setting: str, places: Sequence[str]) -> bool:
    """Whether a setting such as ``data.pair`` is one of ``places``, which are settings and sections of them."""
    return any(setting == place or setting.startswith(f"{place}.") for place in places)
